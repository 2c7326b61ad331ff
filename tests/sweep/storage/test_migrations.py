"""Databases of older versions: upgraded when they are opened, after a copy is put aside; what they hold stays."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made_trials import complete, failed, put, trials
from sqlalchemy import create_engine, inspect, make_url, text

from sweep.storage import Storage, StorageError, tables
from sweep.storage.engine import Database

KEPT = ("trial_id", "state", "score", "lr", "seed", "precision", "attempts", "duration_s")
# How the newest schema becomes an older one.
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
        for older, statements in (("0003", BACK_TO_0003), ("0002", BACK_TO_0002), ("0001", BACK_TO_0001)):
            if older >= version:
                for statement in statements:
                    connection.execute(text(statement))
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


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
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
        patched.setattr("sweep.storage.engine.tables.CREATE_RESULTS", text("CREATE TABLE trials (number INTEGER)"))
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
