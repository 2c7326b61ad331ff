"""Scores gain the discriminator's loss and energies."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("d_loss", "energy_real", "energy_fake"):
        op.add_column("scores", sa.Column(name, sa.Float))
