"""Tables of the results database, and the view `results` that shows one flat row per trial."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
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
    event,
)

from search_spaces.axis import fields_of
from search_spaces.experiment import FIRST, experiment

VERSIONS = ("0001", "0002", "0003", "0004")  # of the schema; sweep/migrations leads from one to the next
VERSION = VERSIONS[-1]
REASONS = ("error", "memory", "lost")  # why a trial failed
STATES = ("WAITING", "RUNNING", "COMPLETE", "DIVERGED", "FAILED")

_KIND = experiment(FIRST)
_TYPES: dict[type, Any] = {bool: Boolean, int: Integer, float: Float, str: String(16)}


def _settings(settings: type) -> Iterator[Column[Any]]:
    """Columns of a dataclass of settings; those that only some families have may be NULL."""
    for one in fields_of(settings):
        optional = bool(getattr(one.meaning, "families", ()))
        for name in one.columns:
            kind = String(8) if len(one.choices) > 1 else _TYPES[one.kind]
            yield Column(name, kind, nullable=optional)


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
    Column("heard_at", DateTime, comment="its driver's last sign of life"),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("cohort_id", Integer, primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), nullable=False),
    Column("title", String, nullable=False),
    Column("members", Integer, nullable=False),
    Column("share", Float, nullable=False, comment="of its training that is done, 0 to 1"),
    Column("started_at", DateTime, nullable=False),
    comment="cohorts in flight; a row goes when its cohort ends",
)

trials = Table(
    "trials",
    metadata,
    Column("trial_id", String(16), primary_key=True),
    Column("sweep_id", ForeignKey("sweeps.sweep_id"), nullable=False),
    Column("space", String, nullable=False),
    Column("position", Integer, nullable=False, comment="place in the seeded random order"),
    Column("family", String(16), nullable=False, index=True),
    *_settings(_KIND.settings),
    *_settings(_KIND.training),
    Column("state", String(8), CheckConstraint(f"state IN {STATES}"), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("cohort_id", Integer, index=True, comment="of cohorts: where it is running; NULL unless RUNNING"),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("duration_s", Float, comment="share of the cohort's wall time: seconds / members"),
    Column("device", String),
)

identities = Table(
    "score_identities",
    metadata,
    Column("identity_id", Integer, primary_key=True),
    Column("formula", String, nullable=False),
    Column("classifier", String(64), nullable=False, comment="SHA-256 of the classifier's weights"),
    Column("n_samples", Integer, nullable=False),
    Column("z_seed", Integer, nullable=False),
    Column("real_score", Float, nullable=False, comment="score of the 10,000 real test digits"),
    Column("real_inception_score", Float, nullable=False),
    Column("classifier_accuracy", Float, nullable=False),
    UniqueConstraint("formula", "classifier", "n_samples", "z_seed"),
)

scores = Table(
    "scores",
    metadata,
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("identity_id", ForeignKey("score_identities.identity_id"), primary_key=True),
    *(Column(one.name, Integer if one.whole else Float, comment=one.meaning or None) for one in _KIND.scores),
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
    Column("sweep_id", Integer, comment="of sweeps: whose attempt it is"),
    Column("reason", String(16), comment="why it failed: error, memory or lost"),
)

samples = Table(
    "samples",
    metadata,
    Column("trial_id", ForeignKey("trials.trial_id"), primary_key=True),
    Column("png", LargeBinary, nullable=False, comment="8 x 12 generated images"),
)

_SHOWN = """
       t.trial_id, t.family, t.n_layer_g, t.n_layer_d, t.size_g, t.size_d, t.dropout_d, t.optim_g, t.optim_d,
       t.lr, t.margin, t.pt_weight, t.seed, t.steps, t.state,
       s.score, s.inception_score, s.coverage, s.entropy, s.frechet, t.duration_s, t.device,
       s.score / i.real_score AS score_fraction, i.real_score, i.formula, i.classifier, i.n_samples, i.z_seed,
       s.d_loss, s.energy_real, s.energy_fake,
       t.space, t.position, t.data, t.batch_size, t.z_dim, t.beta1, t.beta2, t.dropout_rate,
       t.precision, t.attempts, t.started_at, t.finished_at, t.sweep_id
"""
CREATE_RESULTS = DDL(f"""
CREATE VIEW results AS
SELECT {_SHOWN.strip()}
FROM trials t
LEFT JOIN scores s ON t.state = 'COMPLETE' AND s.trial_id = t.trial_id AND s.step = t.steps
     AND s.identity_id = (
         SELECT max(x.identity_id) FROM scores x WHERE x.trial_id = t.trial_id AND x.step = t.steps)
LEFT JOIN score_identities i ON i.identity_id = s.identity_id
""")
DROP_RESULTS = DDL("DROP VIEW results")
event.listen(metadata, "after_create", CREATE_RESULTS)


def _shown(words: str) -> Column[Any]:
    """A column of the view, from its words in the view's text; what is joined to a trial may be missing."""
    source, name = words.split()[-1].partition(".")[::2]
    if not name:
        return Column(source, Float)  # computed
    column = {"t": trials, "s": scores, "i": identities}[source].c[name]
    return Column(name, column.type, nullable=column.nullable or source != "t")


# This table has metadata of its own, because it describes the view: `create_all` must not create it.
results = Table("results", MetaData(), *map(_shown, _SHOWN.split(",")))
