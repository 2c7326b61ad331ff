"""The results for other tools: Optuna studies, files, and its dashboard over HTTP."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import optuna
import pandas as pd
import pytest
from made_trials import complete, diverged, failed, put, trial, trials

from sweep.results.export import FORMATS, ExportError, export
from sweep.results.optuna_studies import SheetStore, fill_studies, journal_file, sheet_id
from sweep.storage import Storage, load_results

PATIENCE_S = 60.0
GRID = trials(4) + [trial(family="ebgan", lr=lr, space="other") for lr in (0.1, 0.01)]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """GANs: complete, diverged, failed, waiting; and two EBGANs of another space, complete."""
    made = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    made.add_trials(made.declare("tiny", {}, {}, "1"), GRID)
    put(made, [complete(GRID[0]), diverged(GRID[1]), failed(GRID[2])])
    put(made, [complete(GRID[4], score=3.0), complete(GRID[5], score=5.0)])
    return made


class TestStudies:
    @pytest.fixture
    def studies(self, storage: Storage) -> optuna.storages.BaseStorage:
        made = optuna.storages.InMemoryStorage()
        fill_studies(load_results(storage), made, sheets=True)
        return made

    def test_a_study_is_a_search_space(self, studies: optuna.storages.BaseStorage) -> None:
        assert sorted(optuna.get_all_study_names(studies)) == ["other", "tiny"]

    def test_each_training_of_a_space_has_its_study(self, tmp_path: Path) -> None:
        storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
        grids = {steps: trials(3, steps=steps) for steps in (200, 300)}
        for steps, grid in grids.items():
            sweep_id = storage.declare("tiny", {}, {}, "1")
            storage.add_trials(sweep_id, grid)
            put(storage, [complete(one, score=steps / 100) for one in grid])
        waiting, ended = (trial(family="ebgan", space="other", steps=steps) for steps in (200, 300))
        storage.add_trials(sweep_id, [waiting, ended, trial(family="ebgan", space="third")])
        put(storage, [complete(ended), complete(trial(family="ebgan"))])
        path = tmp_path / "studies.log"
        export(storage, "optuna", path)
        studies = journal_file(path)
        names = sorted(optuna.get_all_study_names(studies))
        assert names == ["other, steps 300", "third", "tiny, steps 200", "tiny, steps 300"]
        for steps, grid in grids.items():
            study = optuna.load_study(study_name=f"tiny, steps {steps}", storage=studies)
            assert {one.user_attrs["trial_id"] for one in study.trials} == {one.trial_id for one in grid}
            assert {one.value for one in study.trials} == {steps / 100}
            assert study.user_attrs["training"]["steps"] == steps and study.user_attrs["training"]["data"] == "mnist"

    def test_values_parameters_and_attributes(self, studies: optuna.storages.BaseStorage) -> None:
        study = optuna.load_study(study_name="other", storage=studies)
        assert [t.value for t in study.trials] == [3.0, 5.0]
        assert [t.params["lr"] for t in study.trials] == [0.1, 0.01]
        assert study.best_trial.user_attrs["trial_id"] == GRID[5].trial_id
        assert study.best_trial.user_attrs["coverage"] == 6

    def test_states(self, studies: optuna.storages.BaseStorage) -> None:
        found = optuna.load_study(study_name="tiny", storage=studies).trials
        assert [t.state.name for t in found] == ["COMPLETE", "PRUNED", "FAIL"]
        assert [t.user_attrs["state"] for t in found] == ["COMPLETE", "DIVERGED", "FAILED"]
        assert "margin" not in found[0].params

    def test_sheets_are_read_from_the_database_and_never_changed(self, storage: Storage) -> None:
        store = SheetStore(storage)
        assert store.open_reader(sheet_id(GRID[0].trial_id)).read() == b"a sheet"
        with pytest.raises(optuna.artifacts.exceptions.ArtifactNotFound):
            store.open_reader(sheet_id(GRID[3].trial_id))
        with pytest.raises(PermissionError):
            store.remove(sheet_id(GRID[0].trial_id))


class TestExport:
    @pytest.mark.parametrize("to", ["csv", "parquet"])
    def test_a_file_holds_what_load_results_gives(self, storage: Storage, tmp_path: Path, to: str) -> None:
        path = tmp_path / "new" / f"results.{to}"
        assert export(storage, to, path) == len(GRID)
        times = ["started_at", "finished_at"]
        found = pd.read_csv(path, parse_dates=times) if to == "csv" else pd.read_parquet(path)
        expected = load_results(storage)
        if to == "csv":
            types = {"family": str, "state": str, "space": str}
            expected, found = expected.astype(types), found.astype(types)
            found = found[[*types, "trial_id", "score", "coverage", *times]]
            expected = expected[found.columns]
        pd.testing.assert_frame_equal(found, expected, check_dtype=to == "parquet")

    def test_optuna_reads_its_journal(self, storage: Storage, tmp_path: Path) -> None:
        said: list[str] = []
        export(storage, "optuna", tmp_path / "studies.log", said.append)
        study = optuna.load_study(study_name="other", storage=journal_file(tmp_path / "studies.log"))
        assert study.best_value == 5.0
        assert said == ["other: 2 of 2 trials", "tiny: 3 of 3 trials"]

    def test_a_url_is_no_path(self, storage: Storage) -> None:
        with pytest.raises(ExportError, match="a URL, allowed: the path of a new file"):
            export(storage, "optuna", Path("sqlite:////tmp/x.db"))

    @pytest.mark.parametrize("to", FORMATS)
    def test_what_is_there_is_never_overwritten(self, storage: Storage, tmp_path: Path, to: str) -> None:
        (tmp_path / "mine").write_text("mine")
        with pytest.raises(ExportError, match="is there already, allowed: a new file"):
            export(storage, to, tmp_path / "mine")
        assert (tmp_path / "mine").read_text() == "mine"

    def test_what_cant_be_written_is_one_line(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ExportError, match="can't be written"):
            export(storage, "csv", tmp_path / "file" / "results.csv")


class TestTypes:
    def test_names_are_categories_and_numbers_numbers(self, storage: Storage, tmp_path: Path) -> None:
        results = load_results(f"sqlite:///{tmp_path}/results.db")
        for name in ("family", "state", "optim_g", "optim_d", "space", "device"):
            assert isinstance(results[name].dtype, pd.CategoricalDtype), name
        assert results["score"].dtype == float
        assert results["dropout_d"].dtype == bool
        assert results["finished_at"].dtype.kind == "M"


def test_the_dashboard_answers_on_this_machine(storage: Storage, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sweep", "dashboard", "--db", f"sqlite:///{tmp_path}/results.db"]
    running = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        studies = json.loads(_read(running, f"http://localhost:{port}/api/studies"))["study_summaries"]
        ids = {study["study_name"]: study["study_id"] for study in studies}
        trials = json.loads(_read(running, f"http://localhost:{port}/api/studies/{ids['tiny']}?after=0"))["trials"]
        assert [t["values"] for t in trials if t["state"] == "Complete"] == [[7.0]]
        url = f"http://localhost:{port}/artifacts/{ids['tiny']}/{trials[0]['trial_id']}/{sheet_id(GRID[0].trial_id)}"
        assert _read(running, url) == b"a sheet"
    finally:
        running.kill()
        running.wait()


def _read(server: "subprocess.Popen[str]", url: str) -> bytes:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert server.poll() is None, server.communicate()
        with (
            suppress(ConnectionError, urllib.error.URLError),
            urllib.request.urlopen(url, timeout=PATIENCE_S) as answer,
        ):
            found: bytes = answer.read()
            return found
        time.sleep(0.2)
    raise AssertionError("it never answered")
