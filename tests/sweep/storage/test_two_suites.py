"""Two suites at once on one machine: when another pytest starts, the PostgreSQL server of this one goes on."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

ANOTHER = "def test_that_has_a_folder(tmp_path): pass"


@pytest.mark.slow
def test_the_server_outlives_the_start_of_another_suite(tmp_path: Path, new_database: Callable[[], str]) -> None:
    (tmp_path / "test_another.py").write_text(ANOTHER)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_another.py"]
    plain = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    engine = create_engine(new_database(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
