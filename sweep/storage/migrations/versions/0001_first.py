"""The first schema: sweeps, trials, scores and their identities, attempts, samples, and the view `results`.

New databases are made by `sweep.storage.tables` as it is now; this is where the oldest ones begin.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing comes before it."""
