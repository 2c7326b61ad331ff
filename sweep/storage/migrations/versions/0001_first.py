"""The first schema: sweeps, trials, scores and their identities, attempts, samples, and the view `results`.

`sweep.storage.tables` makes new databases in the latest schema; migrations of the oldest databases begin here.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: there is no schema before this one."""
