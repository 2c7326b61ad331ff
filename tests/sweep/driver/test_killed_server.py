"""The database server is killed in the middle of a sweep: the sweep waits for it and goes on."""

import io
import os
import signal
import time
from contextlib import suppress
from typing import Any

import psutil
import pytest
from made_trials import IDENTITIES, complete, trials
from rich.console import Console
from sqlalchemy import make_url

from sweep.driver import dispatcher
from sweep.driver.dispatcher import Dispatcher, Settings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.planning.cohorts import Cohort
from sweep.planning.plan import Plan
from sweep.planning.resources import Resources
from sweep.storage import Storage


def test_results_wait_until_the_server_is_back(own_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "RECHECK_S", 0.0)
    url = make_url(own_server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    storage = Storage(url, create=True)
    cohorts = tuple(Cohort(tuple(trials(2, size_g=size))) for size in (8, 9))
    grid = tuple(trial for cohort in cohorts for trial in cohort.trials)
    sweep_id = storage.declare("tiny", {}, {}, "1")
    storage.add_trials(sweep_id, grid)
    told = io.StringIO()
    progress = Progress(storage.counts(), 1)
    display = Display(Console(file=told, width=300), progress)
    plan = Plan((), grid, cohorts, Resources(workers=2, cores=1, gpus=0, memory=2**30))
    running = Dispatcher(plan, storage, sweep_id, IDENTITIES, progress, display, EventLog(None), Settings())
    assert running.next() == 0

    os.kill(own_server.get_pid(), signal.SIGKILL)
    time.sleep(1)
    running.ended(0, [complete(trial) for trial in cohorts[0].trials])
    assert running.next() == "wait"
    assert told.getvalue().count("Paused, because the database fails") == 1

    with suppress(psutil.NoSuchProcess):  # it is dead; this clears away what it left
        own_server.stop()
    own_server.start()
    end = time.monotonic() + 60
    while (number := running.next()) == "wait":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert number == 1
    assert "going on" in told.getvalue().splitlines()[-1]
    running.ended(1, [complete(trial) for trial in cohorts[1].trials])
    assert running.next() == "done"
    running.close()
    assert list(storage.results()["state"]) == ["COMPLETE"] * 4
    assert list(storage.results()["attempts"]) == [1] * 4
    storage.close()
