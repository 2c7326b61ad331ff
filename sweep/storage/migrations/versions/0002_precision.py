"""The precision of matrix products becomes a training setting; older trials have float32."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    precision = sa.Column("precision", sa.String(8), nullable=False, server_default="float32")
    op.add_column("trials", precision)
