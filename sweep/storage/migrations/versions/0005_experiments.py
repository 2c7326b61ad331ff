"""Several experiments in one database, trials of several search spaces, cohorts that keep their rows, and searches."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

AXES = ("n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "optim_g", "optim_d", "lr", "seed")
TRAINING = ("data", "batch_size", "z_dim", "beta1", "beta2", "dropout_rate", "precision")
STATES = "state IN ('WAITING', 'RUNNING', 'COMPLETE', 'DIVERGED', 'FAILED', 'PRUNED')"


def upgrade() -> None:
    _sweeps_and_cohorts()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_tables()
    else:
        _alter_tables()
    _new_tables()


def _sweeps_and_cohorts() -> None:
    op.alter_column("sweeps", "heard_at", new_column_name="last_heartbeat")
    op.add_column("sweeps", sa.Column("state", sa.String(16)))
    op.add_column("sweeps", sa.Column("note", sa.Text))
    op.alter_column("cohorts", "share", new_column_name="progress")
    op.add_column("cohorts", sa.Column("ended_at", sa.DateTime))
    op.add_column("attempts", sa.Column("cohort_id", sa.Integer))
    op.create_index("ix_attempts_cohort_id", "attempts", ["cohort_id"])
    _past_cohorts()


def _past_cohorts() -> None:
    """Add rows for ended cohorts, which older versions removed: attempts that one sweep began at one moment."""
    op.execute(
        "UPDATE attempts SET cohort_id = (SELECT cohort_id FROM trials WHERE trials.trial_id = attempts.trial_id) "
        "WHERE outcome IS NULL"
    )
    op.execute(
        "UPDATE attempts SET sweep_id = (SELECT sweep_id FROM trials WHERE trials.trial_id = attempts.trial_id) "
        "WHERE sweep_id IS NULL"
    )
    op.execute(
        "INSERT INTO cohorts (sweep_id, title, members, progress, started_at, ended_at) "
        "SELECT sweep_id, '', count(*), 1.0, started_at, coalesce(max(ended_at), started_at) FROM attempts "
        "WHERE outcome IS NOT NULL AND sweep_id IN (SELECT sweep_id FROM sweeps) GROUP BY sweep_id, started_at"
    )
    op.create_index("past_cohorts", "cohorts", ["sweep_id", "started_at"])
    op.execute(
        "UPDATE attempts SET cohort_id = (SELECT c.cohort_id FROM cohorts c WHERE c.sweep_id = attempts.sweep_id "
        "AND c.started_at = attempts.started_at AND c.ended_at IS NOT NULL) WHERE outcome IS NOT NULL"
    )
    op.drop_index("past_cohorts", "cohorts")


def _alter_tables() -> None:
    op.add_column("trials", sa.Column("experiment", sa.String(32), nullable=False, server_default="mnist_gan"))
    for name in AXES + TRAINING:
        op.alter_column("trials", name, nullable=True)
    for name in ("optim_g", "optim_d", "precision"):
        op.alter_column("trials", name, type_=sa.String(16))
    op.execute("ALTER TABLE trials DROP CONSTRAINT IF EXISTS trials_state_check")
    op.create_check_constraint("known_state", "trials", STATES)
    op.add_column("score_identities", sa.Column("network", sa.String(64), nullable=False, server_default=""))
    op.add_column("score_identities", sa.Column("rank", sa.Integer, nullable=False, server_default="0"))
    for name in ("real_score", "real_inception_score", "classifier_accuracy"):
        op.alter_column("score_identities", name, nullable=True)
    op.add_column("samples", sa.Column("step", sa.Integer))
    op.add_column("samples", sa.Column("kind", sa.String(16), nullable=False, server_default="generated"))
    op.execute("UPDATE samples SET step = (SELECT steps FROM trials WHERE trials.trial_id = samples.trial_id)")
    op.alter_column("samples", "step", nullable=False)
    op.alter_column("samples", "kind", server_default=None)
    op.drop_constraint("samples_pkey", "samples", type_="primary")
    op.create_primary_key("samples_pkey", "samples", ["trial_id", "step", "kind"])


def _new_tables() -> None:
    trial, sweep = sa.ForeignKey("trials.trial_id"), sa.ForeignKey("sweeps.sweep_id")
    op.create_table(
        "declared",
        sa.Column("space", sa.String, primary_key=True),
        sa.Column("trial_id", sa.String(16), trial, primary_key=True),
        sa.Column("sweep_id", sa.Integer, sweep, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.execute("INSERT INTO declared SELECT space, trial_id, sweep_id, position FROM trials")
    op.create_table(
        "proposals",
        sa.Column("sweep_id", sa.Integer, sa.ForeignKey("sweeps.sweep_id"), primary_key=True),
        sa.Column("batch", sa.Integer, primary_key=True),
        sa.Column("trial_id", sa.String(16), sa.ForeignKey("trials.trial_id"), primary_key=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("acquisition", sa.Float),
    )


def _rebuild_tables() -> None:
    """Make tables again and fill them, because SQLite can change no NOT NULL, check or primary key."""
    metadata = sa.MetaData()
    sa.Table("sweeps", metadata, sa.Column("sweep_id", sa.Integer, primary_key=True))
    number, word, whole = sa.Float, sa.String(16), sa.Integer
    trials = sa.Table(
        "new_trials",
        metadata,
        sa.Column("trial_id", word, primary_key=True),
        sa.Column("sweep_id", whole, sa.ForeignKey("sweeps.sweep_id"), nullable=False),
        sa.Column("space", sa.String, nullable=False),
        sa.Column("position", whole, nullable=False),
        sa.Column("experiment", sa.String(32), nullable=False, server_default="mnist_gan"),
        sa.Column("family", word, nullable=False),
        *(sa.Column(name, whole) for name in AXES[:4]),
        sa.Column("dropout_d", sa.Boolean),
        *(sa.Column(name, word) for name in ("optim_g", "optim_d")),
        *(sa.Column(name, number) for name in ("lr", "margin", "pt_weight")),
        sa.Column("seed", whole),
        sa.Column("data", word),
        sa.Column("steps", whole, nullable=False),
        *(sa.Column(name, whole) for name in ("batch_size", "z_dim")),
        *(sa.Column(name, number) for name in ("beta1", "beta2", "dropout_rate")),
        sa.Column("precision", word),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", whole, nullable=False),
        sa.Column("cohort_id", whole),
        sa.Column("started_at", sa.DateTime),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("duration_s", number),
        sa.Column("device", sa.String),
        sa.CheckConstraint(STATES, name="known_state"),
    )
    identities = sa.Table(
        "new_score_identities",
        metadata,
        sa.Column("identity_id", whole, primary_key=True),
        sa.Column("formula", sa.String, nullable=False),
        sa.Column("network", sa.String(64), nullable=False, server_default=""),
        sa.Column("classifier", sa.String(64), nullable=False),
        sa.Column("n_samples", whole, nullable=False),
        sa.Column("z_seed", whole, nullable=False),
        sa.Column("rank", whole, nullable=False, server_default="0"),
        *(sa.Column(name, number) for name in ("real_score", "real_inception_score", "classifier_accuracy")),
        sa.UniqueConstraint("formula", "classifier", "n_samples", "z_seed"),
    )
    sa.Table("trials", metadata, sa.Column("trial_id", word, primary_key=True))
    samples = sa.Table(
        "new_samples",
        metadata,
        sa.Column("trial_id", word, sa.ForeignKey("trials.trial_id"), primary_key=True),
        sa.Column("step", whole, primary_key=True),
        sa.Column("kind", word, primary_key=True),
        sa.Column("png", sa.LargeBinary, nullable=False),
    )
    steps = "SELECT t.steps FROM trials t WHERE t.trial_id = samples.trial_id"
    _rebuild(samples, {"step": f"coalesce(({steps}), 0)", "kind": "'generated'"})
    _rebuild(trials, {"experiment": "'mnist_gan'"})
    _rebuild(identities, {"network": "''", "rank": "0"})
    for name in ("family", "state", "cohort_id"):
        op.create_index(f"ix_trials_{name}", "trials", [name])


def _rebuild(new: sa.Table, values: dict[str, Any]) -> None:
    """Put a new table in the place of an old one, with its rows; `values` are those of the new columns, as SQL."""
    old = new.name.removeprefix("new_")
    op.execute(sa.schema.CreateTable(new))
    names = [column.name for column in new.columns]
    chosen = ", ".join(values.get(name, name) for name in names)
    op.execute(f"INSERT INTO {new.name} ({', '.join(names)}) SELECT {chosen} FROM {old}")
    op.execute(f"DROP TABLE {old}")
    op.execute(f"ALTER TABLE {new.name} RENAME TO {old}")
