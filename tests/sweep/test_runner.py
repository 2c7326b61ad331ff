"""Whatever ends a sweep, the hook and the event log hear of it, and the database keeps why."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_trials import complete, put, rows, trials, write_space

from data.mnist.dataset import ensure_mnist
from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep import run, runner
from sweep.command.ending import ending
from sweep.driver import supervisor
from sweep.driver.supervisor import Outcome
from sweep.planning.machine import Machine
from sweep.planning.rates import CPU, CUDA, Rates
from sweep.storage import Storage, StorageError


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    ensure_mnist()
    hook = f'printf "$SWEEP_STATE" > {tmp_path}/told'
    return {
        "spaces": write_space(tmp_path / "grid.yaml"),
        "db": f"sqlite:///{tmp_path}/results.db",
        "notify": hook,
    }


def ended(folder: Path) -> tuple[str, bool, list[Any]]:
    """What the hook was told, whether the event log was closed, and how the sweep stands in the database."""
    last = json.loads((folder / "results-sweep-1.jsonl").read_text().splitlines()[-1])
    found = rows(folder / "results.db", "SELECT state, note, finished_at IS NOT NULL FROM sweeps")
    return (folder / "told").read_text(), last["event"] == "over", found


@pytest.mark.parametrize(
    ("outcome", "state", "row"),
    [
        (Outcome(0), "done", ("done", None, 1)),
        (Outcome(2), "done with failures", ("done with failures", None, 1)),
        (Outcome(0, interrupted=True), "stopped", ("stopped", None, 0)),
        (Outcome(3, repeated_error="ValueError"), "done with failures", ("done with failures", "ValueError", 0)),
        (Outcome(0, time_limit="one was waited for"), "time limit", ("time limit", "one was waited for", 0)),
        (Outcome(2, time_limit="one was waited for"), "time limit", ("time limit", "one was waited for", 0)),
    ],
)
def test_every_end_is_kept_and_told(
    tmp_path: Path,
    arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
    state: str,
    row: tuple[Any, ...],
) -> None:
    monkeypatch.setattr(supervisor, "supervise", lambda *_: outcome)
    assert run(**arguments) is outcome
    assert ended(tmp_path) == (state, True, [row])


def test_an_error_is_kept_and_told(tmp_path: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Outcome:
        raise StorageError("it is gone")

    monkeypatch.setattr(supervisor, "supervise", fail)
    with pytest.raises(StorageError):
        run(**arguments)
    assert ended(tmp_path) == ("failed", True, [("failed", "it is gone", 0)])


def test_a_database_that_fails_at_the_very_end_is_told_too(
    tmp_path: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StorageError("it is gone")

    monkeypatch.setattr(supervisor, "supervise", lambda *_: Outcome(0))
    monkeypatch.setattr(Storage, "finish", fail)
    with pytest.raises(StorageError):
        run(**arguments)
    assert ended(tmp_path) == ("failed", True, [(None, None, 0)])


def test_a_run_ends_with_words(tmp_path: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(supervisor, "supervise", lambda *_: Outcome(0, time_limit="the next cohort would take long"))
    run(**arguments, tell=told.append)
    first, second, third, fourth = told[-1].splitlines()
    assert first == "Time limit: the next cohort would take long."
    assert second.startswith("0 of 4 trials are done. This run took about ")
    assert third == "The same command goes on with the rest."
    assert fourth == f"Results: {arguments['db']}. Report: python -m reports --db {arguments['db']}"


def test_a_space_whose_trials_are_finished_is_declared_once(tmp_path: Path, arguments: dict[str, Any]) -> None:
    file = tmp_path / "results.db"
    one, other = (load_space(write_space(tmp_path / f"{name}.yaml")) for name in ("one", "other"))
    storage = Storage(arguments["db"], create=True)
    grid = expand([one])
    storage.add_trials(storage.declare("one", {"one": one.as_dict()}, {}, "1"), grid)
    put(storage, [complete(trial, trial.kind.identities(trial.scoring)[0]) for trial in grid])
    storage.close()
    for _ in range(2):
        for space in (one, other):
            assert runner.run_sweep([space], arguments["db"], runner.Options(), lambda line: None).state == "done"
    declared = rows(file, "SELECT space, count(*) FROM declared GROUP BY space ORDER BY space")
    assert declared == [("one", len(grid)), ("other", len(grid))]
    assert rows(file, "SELECT name, state FROM sweeps WHERE finished_at IS NOT NULL") == [("other", "done")]


def test_failed_trials_are_no_results() -> None:
    counts = {"gan": {"COMPLETE": 2000, "DIVERGED": 3, "FAILED": 1}, "ebgan": {"COMPLETE": 4, "WAITING": 0}}
    assert ending(counts, "x.db", 7000).splitlines() == [
        "2,007 of 2,008 trials are done (3 diverged). This run took about 115 minutes.",
        "1 trial failed without a score: python -m sweep status says why, python -m sweep retry lets them run again.",
        "Results: x.db. Report: python -m reports --db x.db",
    ]
    assert ending({"gan": {"COMPLETE": 2}}, "x.db").splitlines()[0] == "All 2 trials are done."


def test_a_plan_takes_the_best_rates_that_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the database for this kind of device, and otherwise what is known of the device."""
    url = f"sqlite:///{tmp_path}/results.db"
    storage = Storage(url, create=True)
    grid = trials(2, steps=20_000)
    storage.add_trials(storage.declare("other", {}, {}, "1"), grid)
    put(storage, [replace(complete(one), duration_s=1000.0) for one in grid])
    storage.close()
    monkeypatch.setattr(runner, "calibrated", lambda: CPU)
    spaces = [load_space(write_space(tmp_path / "tiny.yaml"))]
    plain = Machine(cores=2, memory=2**33, gpus=())
    with_gpu = Machine(cores=2, memory=2**33, gpus=(("some GPU", 2**35),))

    def rates(processor: str, machine: Machine, db: str | None = url) -> Rates:
        monkeypatch.setattr(runner, "processor_name", lambda: processor)
        return runner.plan_sweep(spaces, db, runner.Options(), print, [machine]).rates

    assert rates("some CPU", plain).source == "2 finished trials of this database"
    assert rates("some CPU", plain).flops < CPU.flops / 10
    assert rates("another CPU", plain) is rates("some CPU", plain, None) is CPU
    assert rates("some CPU", with_gpu) is CUDA
