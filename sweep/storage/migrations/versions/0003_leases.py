"""Several drivers share one database: who runs what, since when, and how it ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("host", sa.String),
        sa.Column("pid", sa.Integer),
        sa.Column("heard_at", sa.DateTime),
    ):
        op.add_column("sweeps", column)
    op.create_table(
        "cohorts",
        sa.Column("cohort_id", sa.Integer, primary_key=True),
        sa.Column("sweep_id", sa.Integer, sa.ForeignKey("sweeps.sweep_id"), nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("members", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
    )
    op.add_column("trials", sa.Column("cohort_id", sa.Integer, index=True))
    op.add_column("attempts", sa.Column("sweep_id", sa.Integer))
    op.add_column("attempts", sa.Column("reason", sa.String(16)))
