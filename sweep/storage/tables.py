"""Tables of the results database, and the view `results` that shows one flat row per trial."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from search_spaces.axis import fields_of
from search_spaces.experiment import FIRST, experiments

VERSIONS = ("0001", "0002", "0003", "0004", "0005")  # of the schema; a migration leads to each from the one before
VERSION = VERSIONS[-1]
REASONS = ("error", "memory", "lost")  # why a trial failed
GRID_STATES = ("WAITING", "RUNNING", "COMPLETE", "DIVERGED", "FAILED")
STATES = (*GRID_STATES, "PRUNED")  # a search may prune trials
ID_LENGTH = 16  # letters of a trial's identity
GENERATED = "generated"  # kind of the samples that models make

_TYPES: dict[type, Any] = {bool: Boolean, int: Integer, float: Float, str: String(16)}


def _settings() -> Iterator[Column[Any]]:
    """Columns of the axes and training settings of all experiments. They are NULL where an experiment lacks a setting.

    Every experiment has `steps`.
    """
    fields = chain.from_iterable((*fields_of(one.settings), *fields_of(one.training)) for one in experiments().values())
    kinds = {name: one.kind for one in fields for name in one.columns}
    for name, kind in kinds.items():
        yield Column(name, _TYPES[kind], nullable=name != "steps")


def _scores() -> Iterator[Column[Any]]:
    found = {score.name: score for one in experiments().values() for score in one.scores}
    for name, score in found.items():
        yield Column(name, Integer if score.whole else Float, comment=score.meaning or None)


metadata = MetaData()

# Alembic's own table, so that migrations can start from any database made here.
version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))

sweeps = Table(
    "sweeps",
    metadata,
    Column("sweep_id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("spaces", JSON, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("code_version", String, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("host", String, comment="where its driver runs"),
    Column("pid", Integer),
    Column("last_heartbeat", DateTime, comment="last heartbeat of its driver"),
    Column("state", String(16), comment="done, done with failures, time limit, stopped or failed; NULL while it runs"),
    Column("note", Text, comment="why it ended, where there is more to say than its state"),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("cohort_id", Integer, primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), nullable=False),
    Column("title", String, nullable=False),
    Column("members", Integer, nullable=False),
    Column("progress", Float, nullable=False, comment="share of its training that is done, 0 to 1"),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime, comment="NULL while it is in flight"),
)

trials = Table(
    "trials",
    metadata,
    Column("trial_id", String(ID_LENGTH), primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), nullable=False),
    Column("space", String, nullable=False),
    Column("position", Integer, nullable=False, comment="place in the seeded random order"),
    Column("experiment", String(32), nullable=False, server_default=FIRST),
    Column("family", String(16), nullable=False, index=True),
    *_settings(),
    Column("state", String(8), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("cohort_id", Integer, index=True, comment="its cohort; NULL unless RUNNING"),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("duration_s", Float, comment="share of the cohort's wall time: seconds / members"),
    Column("device", String),
    CheckConstraint(f"state IN {STATES}", name="known_state"),
)

declared = Table(
    "declared",
    metadata,
    Column("space", String, primary_key=True),
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), nullable=False, comment="the first sweep that declared it here"),
    Column("position", Integer, nullable=False, comment="place in the random order of that sweep"),
    comment="which search spaces have a trial; trials that a search chose are in none",
)

proposals = Table(
    "proposals",
    metadata,
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), primary_key=True),
    Column("batch", Integer, primary_key=True),
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("reason", String(16), nullable=False),
    Column("acquisition", Float),
    comment="trials that a search has chosen, batch by batch",
)

identities = Table(
    "score_identities",
    metadata,
    Column("identity_id", Integer, primary_key=True),
    Column("formula", String, nullable=False),
    Column("network", String(64), nullable=False, server_default="", comment="name of the network that gives features"),
    Column("classifier", String(64), nullable=False, comment="SHA-256 of its weights; empty without a network"),
    Column("n_samples", Integer, nullable=False),
    Column("z_seed", Integer, nullable=False),
    Column("rank", Integer, nullable=False, server_default="0", comment="the view shows the score of the lowest rank"),
    Column("real_score", Float, comment="score of real images"),
    Column("real_inception_score", Float),
    Column("classifier_accuracy", Float),
    UniqueConstraint("formula", "classifier", "n_samples", "z_seed"),
)

scores = Table(
    "scores",
    metadata,
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("identity_id", ForeignKey("score_identities.identity_id"), primary_key=True),
    *_scores(),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", Integer, primary_key=True),
    Column("trial_id", ForeignKey("trials.trial_id"), nullable=False, index=True),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    Column("outcome", String(16), comment="final state, INTERRUPTED (stopped) or LOST (died); NULL while it runs"),
    Column("error", Text),
    Column("sweep_id", Integer, comment="the sweep whose attempt it is"),
    Column("reason", String(16), comment="why it failed: error, memory or lost"),
    Column("cohort_id", Integer, index=True, comment="its cohort; NULL in rows of older versions"),
)

samples = Table(
    "samples",
    metadata,
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("png", LargeBinary, nullable=False),
)

# Columns of the view that come first, in an order that never changes.
_FIRST_SHOWN = """
       t.trial_id, t.family, t.n_layer_g, t.n_layer_d, t.size_g, t.size_d, t.dropout_d, t.optim_g, t.optim_d,
       t.lr, t.margin, t.pt_weight, t.seed, t.steps, t.state,
       s.score, s.inception_score, s.coverage, s.entropy, s.frechet, t.duration_s, t.device,
       s.score / i.real_score AS score_fraction, i.real_score, i.formula, i.classifier, i.n_samples, i.z_seed,
       s.d_loss, s.energy_real, s.energy_fake,
       t.space, t.position, t.data, t.batch_size, t.z_dim, t.beta1, t.beta2, t.dropout_rate,
       t.precision, t.attempts, t.started_at, t.finished_at, t.sweep_id, t.experiment
"""
_FROM = """
FROM trials t
LEFT JOIN scores s ON t.state = 'COMPLETE' AND s.trial_id = t.trial_id AND s.step = t.steps
     AND s.identity_id = (
         SELECT x.identity_id FROM scores x JOIN score_identities y ON y.identity_id = x.identity_id
         WHERE x.trial_id = t.trial_id AND x.step = t.steps ORDER BY y.rank, x.identity_id DESC LIMIT 1)
LEFT JOIN score_identities i ON i.identity_id = s.identity_id
"""
_FROM_EVERY = """
FROM trials t
JOIN scores s ON t.state = 'COMPLETE' AND s.trial_id = t.trial_id AND s.step = t.steps
JOIN score_identities i ON i.identity_id = s.identity_id
"""
BY_CLASSIFIER = "results_by_classifier"


def shown(trial_columns: Collection[str], score_columns: Collection[str]) -> list[str]:
    """The columns that the view `results` selects, given the columns of the tables `trials` and `scores`.

    Columns of experiments that this installation does not know come last.
    """
    first = [words.strip() for words in _FIRST_SHOWN.split(",")]
    there = {f"t.{name}" for name in trial_columns} | {f"s.{name}" for name in score_columns}
    hidden = {"t.cohort_id", "s.trial_id", "s.step", "s.identity_id", *first}
    order = [f"t.{column.name}" for column in trials.columns] + [f"s.{column.name}" for column in scores.columns]
    later = [words for words in (*order, *sorted(there - set(order))) if words in there - hidden]
    return first + later


def create_views(connection: Connection) -> None:
    """Make the view `results`, and a view for each experiment with only its columns."""
    found = {name: [c["name"] for c in inspect(connection).get_columns(name)] for name in ("trials", "scores")}
    words = shown(found["trials"], found["scores"])
    connection.execute(text(f"CREATE VIEW results AS SELECT {', '.join(words)} {_FROM}"))
    every = ["i.network", "i.rank", *words]
    connection.execute(text(f"CREATE VIEW {BY_CLASSIFIER} AS SELECT {', '.join(every)} {_FROM_EVERY}"))
    for name in experiments():
        own = [one for one in words if _belongs(one, name)]
        connection.execute(
            text(f"CREATE VIEW results_{name} AS SELECT {', '.join(own)} {_FROM} WHERE t.experiment = '{name}'")
        )


def drop_views(connection: Connection) -> None:
    """Remove every view that `create_views` can have made, including those for experiments of other installations."""
    for name in inspect(connection).get_view_names():
        if name == "results" or name.startswith("results_"):
            connection.execute(text(f'DROP VIEW "{name}"'))


def _belongs(words: str, name: str) -> bool:
    """Whether an experiment has a column of the view. Axes, training settings and scores may be of some alone."""
    owners = _OWNERS.get(words.split()[-1].partition(".")[2])
    return owners is None or name in owners


def is_declared(name: str) -> bool:
    """Whether an experiment declares a column, so that a database may be older than it."""
    return name in _OWNERS


def before_it_was(name: str) -> str:
    """SQL for the value of a column in rows that are older than it: the value that its axis implies, mostly NULL."""
    cases = []
    for kind in experiments().values():
        families = [family for family in kind.by_family if name in kind.axes_of(family)]
        if name in kind.implied and families:
            names = ", ".join(f"'{family}'" for family in families)
            cases.append(f"WHEN experiment = '{kind.name}' AND family IN ({names}) THEN '{kind.implied[name]}'")
    return f"CASE {' '.join(cases)} END" if cases else "NULL"


def _owners() -> dict[str, set[str]]:
    """Names of the experiments that have a column, by the column's name."""
    found: dict[str, set[str]] = {}
    for name, one in experiments().items():
        for column in (*one.axes, *one.training_columns, *(score.name for score in one.scores)):
            found.setdefault(column, set()).add(name)
    return found


_OWNERS = _owners()


def _shown(words: str) -> Column[Any]:
    """A column of the view from its SQL text. It may be NULL if it comes from a table that is joined to `trials`."""
    source, name = words.split()[-1].partition(".")[::2]
    if not name:
        return Column(source, Float)  # computed
    column = {"t": trials, "s": scores, "i": identities}[source].c[name]
    return Column(name, column.type, nullable=column.nullable or source != "t")


# This table has metadata of its own, because it describes the view: `create_all` must not create it.
results = Table("results", MetaData(), *map(_shown, shown(trials.c.keys(), scores.c.keys())))
