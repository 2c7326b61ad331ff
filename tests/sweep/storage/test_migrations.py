"""Databases of older versions: upgraded when they are opened, after a copy is put aside; what they hold stays."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made_trials import complete, failed, put, rows, trials
from sqlalchemy import create_engine, inspect, make_url, text

from sweep.storage import Storage, StorageError, tables
from sweep.storage.engine import Database

KEPT = ("trial_id", "state", "score", "lr", "seed", "precision", "attempts", "duration_s")
GOLDEN = Path(__file__).parents[2] / "golden" / "example.db"  # of schema 0004, made by the version of its time
# How the newest schema becomes an older one.
BACK_TO_0004 = (
    "DROP VIEW results",
    "DROP VIEW results_mnist_gan",
    "DROP VIEW results_by_classifier",
    "DROP TABLE declared",
    "DROP TABLE proposals",
    "ALTER TABLE sweeps RENAME COLUMN last_heartbeat TO heard_at",
    "ALTER TABLE sweeps DROP COLUMN state",
    "ALTER TABLE sweeps DROP COLUMN note",
    "DELETE FROM cohorts WHERE ended_at IS NOT NULL",
    "ALTER TABLE cohorts RENAME COLUMN progress TO share",
    "ALTER TABLE cohorts DROP COLUMN ended_at",
    "DROP INDEX ix_attempts_cohort_id",
    "ALTER TABLE attempts DROP COLUMN cohort_id",
    "ALTER TABLE trials DROP COLUMN experiment",
    "ALTER TABLE score_identities DROP COLUMN network",
    "ALTER TABLE score_identities DROP COLUMN rank",
    "CREATE TABLE older AS SELECT trial_id, png FROM samples",
    "DROP TABLE samples",
    "CREATE TABLE samples (trial_id VARCHAR(16) PRIMARY KEY REFERENCES trials (trial_id), png {blob} NOT NULL)",
    "INSERT INTO samples SELECT trial_id, png FROM older",
    "DROP TABLE older",
    "CREATE VIEW results AS SELECT trial_id FROM trials",
    "UPDATE alembic_version SET version_num = '0004'",
)
# What SQLite can't take back; there the table is made again in any case.
STRICTER = (
    "ALTER TABLE trials DROP CONSTRAINT known_state",
    "ALTER TABLE trials ADD CONSTRAINT trials_state_check CHECK (state <> 'PRUNED')",
    "ALTER TABLE trials ALTER COLUMN lr SET NOT NULL",
    "ALTER TABLE trials ALTER COLUMN optim_g TYPE VARCHAR(8)",
    "ALTER TABLE score_identities ALTER COLUMN real_score SET NOT NULL",
)
BACK_TO_0003 = (
    "DROP VIEW results",
    *(f"ALTER TABLE scores DROP COLUMN {name}" for name in ("d_loss", "energy_real", "energy_fake")),
    "CREATE VIEW results AS SELECT trial_id FROM trials",
    "UPDATE alembic_version SET version_num = '0003'",
)
BACK_TO_0002 = (
    "DROP VIEW results",
    "DROP TABLE cohorts",
    "DROP INDEX ix_trials_cohort_id",
    "ALTER TABLE trials DROP COLUMN cohort_id",
    "ALTER TABLE attempts DROP COLUMN sweep_id",
    "ALTER TABLE attempts DROP COLUMN reason",
    "ALTER TABLE sweeps DROP COLUMN host",
    "ALTER TABLE sweeps DROP COLUMN pid",
    "ALTER TABLE sweeps DROP COLUMN heard_at",
    "CREATE VIEW results AS SELECT trial_id FROM trials",
    "UPDATE alembic_version SET version_num = '0002'",
)
BACK_TO_0001 = (
    "DROP VIEW results",
    "ALTER TABLE trials DROP COLUMN precision",
    "CREATE VIEW results AS SELECT trial_id FROM trials",
    "UPDATE alembic_version SET version_num = '0001'",
)


def fill(url: str) -> pd.DataFrame:
    """A database with results; gives back what it shows."""
    storage = Storage(url, create=True)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), trials(4))
    put(storage, [complete(trials(4)[0]), failed(trials(4)[1])])
    shown = storage.results()
    storage.close()
    return shown


def age(url: str, version: str) -> None:
    """Make a database what an older version of this project would have left."""
    engine = create_engine(url)
    with engine.begin() as connection:
        is_file = connection.dialect.name == "sqlite"
        newest = BACK_TO_0004 if is_file else (*BACK_TO_0004, *STRICTER)
        steps = {"0004": newest, "0003": BACK_TO_0003, "0002": BACK_TO_0002, "0001": BACK_TO_0001}
        for statement in (one for older, own in steps.items() if older >= version for one in own):
            connection.execute(text(statement.replace("{blob}", "BLOB" if is_file else "BYTEA")))
    engine.dispose()


def differences(url: str) -> list[object]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    engine.dispose()
    return [change for change in found if "alembic_version" not in str(change) and "comment" not in str(change)[:20]]


def test_the_versions_are_those_of_the_migrations() -> None:
    folder = Path(tables.__file__).parent / "migrations" / "versions"
    assert tuple(sorted(path.name[:4] for path in folder.glob("*.py"))) == tables.VERSIONS


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0004"])
def test_an_old_database_is_upgraded_and_keeps_all_it_holds(url: str, version: str) -> None:
    before = fill(url)
    assert differences(url) == []
    age(url, version)
    assert differences(url) != []
    storage = Storage(url)
    after = storage.results()
    pd.testing.assert_frame_equal(after[list(KEPT)], before[list(KEPT)])
    assert storage.retry() == 1
    storage.claim()  # the upgrade has let go of its own claim
    storage.close()
    assert differences(url) == []
    engine = create_engine(url)
    assert sorted(inspect(engine).get_table_names()) == sorted(tables.metadata.tables)
    engine.dispose()


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copy(GOLDEN, tmp_path / "example.db"))


def test_the_first_example_shows_what_it_showed(example: Path) -> None:
    before = pd.read_sql("SELECT * FROM results ORDER BY position", f"sqlite:///{GOLDEN}")
    storage = Storage(f"sqlite:///{example}")
    after = pd.read_sql("SELECT * FROM results ORDER BY position", f"sqlite:///{example}")
    assert len(storage.results()) == len(before) == 456
    pd.testing.assert_frame_equal(after[list(before)], before)
    assert list(after)[: len(list(before))] == list(before)
    assert set(after["experiment"]) == {"mnist_gan"}
    storage.close()
    assert differences(f"sqlite:///{example}") == []


def test_rows_from_before_an_axis_came_have_the_value_that_they_were_trained_with(example: Path) -> None:
    url = f"sqlite:///{example}"
    Storage(url).close()
    with closing(sqlite3.connect(example)) as connection:  # as this project left it before there was the axis
        (view,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'results'").fetchone()
        assert ", t.norm_d" in view
        for view_name in ("results", "results_mnist_gan", "results_by_classifier"):
            connection.execute(f"DROP VIEW {view_name}")
        connection.execute("ALTER TABLE trials DROP COLUMN norm_d")
        connection.execute(view.replace(", t.norm_d", ""))
        connection.commit()
    for create in (False, True):  # read as it is, then opened for a sweep
        storage = Storage(url, create)
        assert ("norm_d" in storage._database.absent) is not create
        found = storage.results()
        storage.close()
        assert set(found.loc[found["family"] == "gan", "norm_d"]) == {"separate"}
        assert found.loc[found["family"] != "gan", "norm_d"].isna().all()


def test_the_first_example_is_whole_and_knows_its_cohorts_and_spaces(example: Path) -> None:
    before = rows(GOLDEN, "SELECT trial_id, png FROM samples ORDER BY trial_id")
    storage = Storage(f"sqlite:///{example}")
    settings, together = storage.ran_with("b0f141ac8cd015a0")
    storage.close()
    assert settings["worker"]["cores"] > 0
    assert len(together) == 4
    assert rows(example, "PRAGMA foreign_key_check") == []
    samples = "SELECT trial_id, png FROM samples WHERE step = 4000 AND kind = 'generated' ORDER BY trial_id"
    assert rows(example, samples) == before
    assert rows(example, "SELECT count(*) FROM attempts WHERE cohort_id IS NULL") == [(0,)]
    declared = "SELECT space, trial_id, sweep_id, position FROM {} ORDER BY trial_id"
    assert rows(example, declared.format("declared")) == rows(GOLDEN, declared.format("trials"))
    held = "SELECT members, count(*) FROM cohorts JOIN attempts USING (cohort_id) GROUP BY cohort_id"
    assert all(members == n for members, n in rows(example, held))


def test_an_upgraded_database_takes_what_an_old_one_refused(example: Path) -> None:
    Storage(f"sqlite:///{example}").close()
    with closing(sqlite3.connect(example)) as connection:
        connection.execute("UPDATE trials SET lr = NULL, state = 'PRUNED' WHERE position = 0")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("UPDATE trials SET state = 'WEIRD' WHERE position = 0")


def test_a_copy_of_the_file_is_put_aside(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    fill(url)
    age(url, "0002")
    Storage(url).close()
    with closing(sqlite3.connect(tmp_path / "results.db.0002")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
        assert copy.execute("SELECT count(*) FROM scores").fetchall() == [(1,)]


def test_the_tables_of_a_server_are_copied(new_database: Callable[[], str]) -> None:
    url = new_database()
    fill(url)
    age(url, "0002")
    Storage(url).close()
    copied = pd.read_sql("SELECT version_num FROM before_upgrade_of_0002.alembic_version", url)
    assert list(copied["version_num"]) == ["0002"]
    assert len(pd.read_sql("SELECT * FROM before_upgrade_of_0002.trials", url)) == 4


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(url)
    age(url, "0001")
    with monkeypatch.context() as patched, pytest.raises(StorageError):
        fails = text("CREATE TABLE trials (number INTEGER)")
        patched.setattr("sweep.storage.engine.tables.create_views", lambda connection: connection.execute(fails))
        Storage(url)
    assert list(pd.read_sql("SELECT version_num FROM alembic_version", url)["version_num"]) == ["0001"]
    assert "precision" not in pd.read_sql("SELECT * FROM trials", url)
    storage = Storage(url)
    assert len(storage.results()) == 4
    storage.close()


def test_a_database_under_an_old_driver_is_not_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    fill(url)
    driver = Database(url)
    driver.claim()
    age(url, "0002")
    with pytest.raises(StorageError, match="a sweep is running on it: process"):
        Storage(url)
    driver.close()
    Storage(url).close()


def test_a_server_is_shown_without_its_password(new_database: Callable[[], str]) -> None:
    url = make_url(new_database()).set(password="secret")
    storage = Storage(url.render_as_string(hide_password=False), create=True)
    assert "secret" not in storage.name
    storage.close()
    gone = make_url("postgresql+psycopg://me:secret@127.0.0.1:9/none").render_as_string(hide_password=False)
    with pytest.raises(StorageError) as caught:
        Storage(gone)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
