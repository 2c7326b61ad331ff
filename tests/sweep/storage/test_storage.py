"""The contract of a results database, the same for every backend; plain pandas and SQL look at what was stored."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_trials import IDENTITY, REFERENCE, SCORES, complete, diverged, failed, lease, put, trial, trials
from sqlalchemy import create_engine, text

from search_spaces.trial import Trial
from sweep.records import Record
from sweep.storage import Storage, StorageError, load_results

PROMISED = [
    *("trial_id", "family", "n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "optim_g", "optim_d", "lr"),
    *("margin", "pt_weight", "seed", "steps", "state", "score", "inception_score", "coverage", "entropy", "frechet"),
    *("duration_s", "device"),
]
TABLES = ("cohorts", "sweeps", "trials", "scores", "score_identities", "attempts", "samples", "results")
Query = Callable[[str], pd.DataFrame]


@pytest.fixture
def storage(url: str) -> Iterator[Storage]:
    opened = Storage(url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def query(url: str) -> Iterator[Query]:
    """Reads with plain pandas; none of the package is between."""
    engine = create_engine(url)
    yield lambda sql: pd.read_sql(text(sql), engine)
    engine.dispose()


@pytest.fixture
def four(storage: Storage) -> list[Trial]:
    """Four trials, declared."""
    grid = trials(4)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    return grid


def states(query: Query) -> dict[int, str]:
    frame = query("SELECT seed, state FROM trials")
    return dict(zip(frame["seed"], frame["state"], strict=True))


def with_scores(record: Record, by_step: Mapping[int, Mapping[str, float]]) -> Record:
    return replace(record, scores={IDENTITY: {**by_step, **record.scores.get(IDENTITY, {})}})


class TestDeclaring:
    def test_a_new_database_is_empty(self, storage: Storage, query: Query) -> None:
        assert storage.counts() == {}
        assert storage.finished(IDENTITY) == set()
        assert all(query(f"SELECT * FROM {table}").empty for table in TABLES)
        assert storage.results().empty

    def test_a_sweep_is_recorded_with_what_it_was(self, storage: Storage, query: Query) -> None:
        first = storage.declare("tiny", {"tiny": {"axes": {"lr": [0.1]}}}, {"workers": 2}, "0.1 abc")
        second = storage.declare("tiny", {}, {}, "0.1 abc")
        storage.finish(first)
        assert first != second
        sweeps = storage.sweeps()
        assert list(sweeps["sweep_id"]) == [first, second]
        assert list(sweeps["name"]) == ["tiny", "tiny"]
        assert sweeps["spaces"][0] == {"tiny": {"axes": {"lr": [0.1]}}}
        assert sweeps["settings"][0] == {"workers": 2}
        assert list(sweeps["finished_at"].notna()) == [True, False]
        spaces = query("SELECT CAST(spaces AS text) AS spaces FROM sweeps WHERE sweep_id = 1")["spaces"][0]
        assert json.loads(spaces)["tiny"]["axes"]

    def test_every_setting_of_a_trial_comes_back(self, storage: Storage, query: Query) -> None:
        grid = [trial(family="ebgan_pt", dropout_d=True, lr=1e-4), trial(optim_d="sgd", seed=3)]
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
        frame = query("SELECT * FROM results ORDER BY position")
        for row, one in zip(frame.to_dict("records"), grid, strict=True):
            for name in ("trial_id", "space", "family"):
                assert row[name] == getattr(one, name), name
            for name in ("n_layer_g", "size_d", "dropout_d", "optim_d", "lr", "seed"):
                assert row[name] == getattr(one.settings, name), name
            for name in ("data", "steps", "batch_size", "z_dim", "dropout_rate", "precision"):
                assert row[name] == getattr(one.training, name), name
            assert (row["beta1"], row["beta2"]) == one.training.betas
        assert (frame["margin"][0], frame["pt_weight"][0]) == (10.0, 0.1)
        assert frame.loc[1, ["margin", "pt_weight", "score"]].isna().all()
        assert list(frame["state"]) == ["WAITING", "WAITING"]

    def test_adding_again_adds_nothing_and_resets_nothing(self, storage: Storage, query: Query) -> None:
        grid = trials(3)
        first = storage.declare("tiny", {}, {}, "1")
        storage.add_trials(first, grid)
        cohort = lease(storage, [grid[0]])
        storage.record(cohort, [complete(grid[0])])
        before = query("SELECT * FROM trials ORDER BY trial_id")
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), [*grid[::-1], trial(seed=9)])
        after = query("SELECT * FROM trials ORDER BY trial_id")
        old = after[after["seed"] != 9].reset_index(drop=True)
        pd.testing.assert_frame_equal(old, before)
        assert list(after[after["seed"] == 9]["sweep_id"]) == [2]

    def test_a_trial_of_several_spaces_has_a_place_in_each_whoever_ran_it(self, storage: Storage) -> None:
        grid = trials(4)
        first = storage.declare("one", {}, {}, "1")
        storage.add_trials(first, [replace(grid[0], also=("both",)), *grid[1:3]])
        storage.record(lease(storage, grid[:2]), [complete(one) for one in grid[:2]])
        second = storage.declare("later", {}, {}, "1")
        storage.add_trials(second, [replace(one, space="later") for one in (grid[3], grid[1])])
        found = storage.results_by_space()
        columns = ["space", "sweep_id", "position", "seed", "state"]
        assert [tuple(row) for row in found[columns].itertuples(index=False)] == [
            ("tiny", first, 0, 0, "COMPLETE"),
            ("both", first, 0, 0, "COMPLETE"),
            ("tiny", first, 1, 1, "COMPLETE"),
            ("tiny", first, 2, 2, "WAITING"),
            ("later", second, 0, 3, "WAITING"),
            ("later", second, 1, 1, "COMPLETE"),
        ]
        assert list(found.columns) == list(storage.results().columns)
        assert len(storage.results()) == 4
        assert storage.spaces() == {"tiny", "both", "later"}

    def test_a_trial_that_no_space_declares_is_in_no_space(self, storage: Storage, url: str) -> None:
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), trials(2))
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM declared WHERE position = 0"))
        engine.dispose()
        assert list(storage.results_by_space()["seed"]) == [1]
        assert len(storage.results()) == 2

    def test_reopening_finds_what_was_stored(self, storage: Storage, url: str, four: list[Trial]) -> None:
        storage.close()
        for create in (False, True):
            again = Storage(url, create=create)
            assert again.counts()["gan"]["WAITING"] == 4
            again.close()


class TestRunning:
    def test_a_cohort_from_start_to_end(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        cohort = lease(storage, four[:3])
        assert states(query) == {0: "RUNNING", 1: "RUNNING", 2: "RUNNING", 3: "WAITING"}
        assert query("SELECT * FROM attempts WHERE outcome IS NULL")["trial_id"].nunique() == 3
        storage.record(cohort, [complete(four[0]), diverged(four[1]), failed(four[2])])
        assert states(query) == {0: "COMPLETE", 1: "DIVERGED", 2: "FAILED", 3: "WAITING"}
        expected = {"WAITING": 1, "RUNNING": 0, "COMPLETE": 1, "DIVERGED": 1, "FAILED": 1}
        assert storage.counts() == {"gan": expected}
        attempts = query("SELECT * FROM attempts").set_index("trial_id")
        assert list(attempts.loc[[t.trial_id for t in four[:3]], "outcome"]) == ["COMPLETE", "DIVERGED", "FAILED"]
        assert attempts["ended_at"].notna().all()
        assert attempts.loc[four[2].trial_id, "error"].endswith("ValueError: it broke")
        assert attempts["error"].notna().sum() == 1

    def test_a_result_is_one_flat_row(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        cohort = lease(storage, [four[0]])
        storage.record(cohort, [complete(four[0], score=3.5)])
        row = query("SELECT * FROM results WHERE seed = 0").iloc[0]
        assert (row["score"], row["inception_score"], row["coverage"], row["entropy"]) == (3.5, 2.5, 6, 1.5)
        assert (row["frechet"], row["duration_s"], row["device"]) == (20.0, 1.5, "some CPU")
        assert (row["score_fraction"], row["real_score"]) == (0.25, 14.0)
        assert (row["formula"], row["classifier"], row["n_samples"], row["z_seed"]) == ("kl", "c" * 64, 500, 0)
        assert row["attempts"] == 1

    def test_a_trial_that_diverged_has_no_score(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        put(storage, [diverged(four[0]), complete(four[1])])
        frame = query("SELECT * FROM results WHERE state = 'DIVERGED'")
        assert list(frame["seed"]) == [0]
        assert frame.loc[0, ["score", "inception_score", "coverage", "entropy", "frechet"]].isna().all()
        assert len(query("SELECT * FROM scores")) == 1

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_a_value_that_is_not_finite_is_null(
        self, storage: Storage, query: Query, four: list[Trial], value: float
    ) -> None:
        put(storage, [complete(four[0], frechet=value)])
        frame = query("SELECT frechet IS NULL AS is_null, score FROM scores")
        assert list(frame["is_null"]) == [1]
        assert list(frame["score"]) == [7.0]

    def test_a_record_is_kept_whole_or_not_at_all(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        cohort = lease(storage, four)
        before = {table: query(f"SELECT * FROM {table}") for table in TABLES}
        records = [complete(four[0]), diverged(four[1]), replace(complete(four[2]), state="EXPLODED")]
        with pytest.raises(StorageError) as caught:
            storage.record(cohort, records)
        assert "\n" not in str(caught.value)
        for table, frame in before.items():
            pd.testing.assert_frame_equal(query(f"SELECT * FROM {table}"), frame)
        storage.record(cohort, records[:2])
        assert states(query) == {0: "COMPLETE", 1: "DIVERGED", 2: "WAITING", 3: "WAITING"}  # no record, no result

    def test_recording_twice_keeps_one_score(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        put(storage, [complete(four[0])])
        put(storage, [complete(four[0], score=8.0)])
        assert list(query("SELECT score FROM scores")["score"]) == [8.0]
        assert len(query("SELECT * FROM score_identities")) == 1
        assert len(query("SELECT * FROM results")) == 4

    def test_sheets(self, storage: Storage, four: list[Trial]) -> None:
        put(storage, [complete(four[0]), diverged(four[1]), failed(four[2])])
        ids = [t.trial_id for t in four]
        assert storage.sheets(ids) == {ids[0]: b"a sheet", ids[1]: b"grey"}
        assert storage.sheets(ids[1:2]) == {ids[1]: b"grey"}
        assert storage.sheets([]) == {}

    def test_scores_on_the_way_are_kept_too_and_also_of_what_diverged(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        intermediate = {1: SCORES | {"score": 0.1}, 2: SCORES | {"score": 0.2}}
        put(storage, [with_scores(r, intermediate) for r in (complete(four[0], score=0.3), diverged(four[1]))])
        put(storage, [with_scores(complete(four[0], score=0.4), {2: SCORES | {"score": 0.25}})])
        found = query("SELECT trial_id, step, score FROM scores").set_index(["trial_id", "step"])["score"].to_dict()
        one, two = four[0].trial_id, four[1].trial_id
        last = four[0].training.steps
        assert found == {(one, 1): 0.1, (one, 2): 0.25, (one, last): 0.4, (two, 1): 0.1, (two, 2): 0.2}
        assert list(
            query("SELECT score FROM results WHERE state != 'WAITING' ORDER BY position")["score"].dropna()
        ) == [0.4]
        assert storage.finished(IDENTITY) == {one, two}

    def test_steps_hold_each_score_by_its_identity(self, storage: Storage, four: list[Trial]) -> None:
        other = replace(IDENTITY, classifier="d" * 64)
        put(storage, [complete(four[0], step=1, score=0.5), complete(four[1], score=2.0)])
        put(storage, [complete(four[0], score=1.0), with_scores(diverged(four[2]), {2: SCORES})])
        put(storage, [complete(four[0], other, score=5.0)])
        known = storage.identities()
        assert list(known["classifier"]) == ["c" * 64, "d" * 64]
        assert list(known["real_score"]) == [14.0, 14.0]
        steps = storage.steps()
        assert list(steps.columns) == ["trial_id", "step", "identity_id", "score"]
        by = steps["identity_id"].map(known.set_index("identity_id")["classifier"].str[0])
        first, second, third = (t.trial_id for t in four[:3])
        end = four[0].training.steps
        expected = {(first, 1): 0.5, (first, end): 1.0, (second, end): 2.0, (third, 2): SCORES["score"]}
        assert steps[by == "c"].set_index(["trial_id", "step"])["score"].to_dict() == expected
        assert steps[by == "d"].set_index(["trial_id", "step"])["score"].to_dict() == {(first, end): 5.0}
        if storage.is_file:  # a server keeps to the type of a column
            with storage._database.write() as connection:
                connection.exec_driver_sql("UPDATE scores SET score = 'high' WHERE step = 1")
            assert storage.steps()["score"].isna().sum() == 1

    def test_steps_know_a_score_by_the_experiment_of_its_trial(
        self, storage: Storage, four: list[Trial], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parts of one trial each; one trial is of an experiment that is not installed."""
        monkeypatch.setattr("sweep.storage.reading.FETCHED", 1)
        monkeypatch.setattr("sweep.storage.reading.AT_ONCE", 2)
        put(storage, [complete(one, score=float(n)) for n, one in enumerate(four)])
        with storage._database.write() as connection:
            connection.exec_driver_sql(f"UPDATE trials SET experiment = 'x' WHERE trial_id = '{four[2].trial_id}'")
        scores = storage.steps().set_index("trial_id")["score"]
        assert scores.dropna().to_dict() == {four[n].trial_id: n for n in (0, 1, 3)}
        assert scores.index[scores.isna()].tolist() == [four[2].trial_id]
        if storage.is_file:  # a server keeps no score without its trial
            with closing(sqlite3.connect(storage.path)) as file, file:
                file.execute("DELETE FROM trials WHERE trial_id = ?", [four[0].trial_id])
            assert set(storage.steps()["trial_id"]) == {one.trial_id for one in four[1:]}


class TestComingBack:
    def test_finished_is_complete_under_this_identity_or_ended_otherwise(
        self, storage: Storage, four: list[Trial]
    ) -> None:
        cohort = lease(storage, four)
        storage.record(cohort, [complete(four[0]), diverged(four[1]), failed(four[2])])
        ids = [t.trial_id for t in four]
        assert storage.finished(IDENTITY) == {ids[0], ids[1], ids[2]}
        for other in (
            replace(IDENTITY, formula="other"),
            replace(IDENTITY, classifier="d" * 64),
            replace(IDENTITY, n_samples=1000),
            replace(IDENTITY, z_seed=1),
        ):
            assert storage.finished(other) == {ids[1], ids[2]}

    def test_a_score_of_an_earlier_step_finishes_nothing(self, storage: Storage, four: list[Trial]) -> None:
        put(storage, [complete(four[0], step=1)])
        assert storage.finished(IDENTITY) == set()

    def test_the_view_shows_the_latest_identity(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        other = replace(IDENTITY, classifier="d" * 64, reference=replace(REFERENCE, real_score=10.0))
        put(storage, [complete(four[0], score=1.0), complete(four[1], score=2.0)])
        unfinished = complete(four[1], other, step=1, score=0.5)
        put(storage, [complete(four[0], other, score=5.0), unfinished])
        frame = query("SELECT * FROM results ORDER BY position")
        assert list(frame["score"][:2]) == [5.0, 2.0]
        assert list(frame["classifier"][:2]) == ["d" * 64, "c" * 64]
        assert list(frame["score_fraction"][:2]) == [0.5, 2.0 / 14]
        assert len(frame) == 4
        assert sorted(query("SELECT score FROM scores")["score"]) == [0.5, 1.0, 2.0, 5.0]

    def test_an_interrupted_second_scoring_keeps_the_first(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        scored = four[0]
        cohort = lease(storage, [scored])
        storage.record(cohort, [complete(scored)])
        lease(storage, [scored])
        running = query(f"SELECT state, score FROM results WHERE trial_id = '{scored.trial_id}'").iloc[0]
        assert running["state"] == "RUNNING"
        assert pd.isna(running["score"])
        storage.release(1)
        assert states(query)[scored.settings.seed] == "COMPLETE"
        assert query("SELECT score FROM results")["score"].notna().sum() == 1
        assert storage.finished(IDENTITY) == {scored.trial_id}

    def test_a_file_takes_one_sweep_at_a_time(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/results.db"
        storage = Storage(url, create=True)
        storage.claim()
        other = Storage(url)
        with pytest.raises(StorageError, match=f"a sweep is running on it: process {os.getpid()} on "):
            other.claim()
        assert other.counts() == {}
        storage.close()
        other.claim()
        other.close()

    def test_a_dead_driver_s_work_is_lost_and_ends_when_it_was_last_heard(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        lease(storage, four[:2])
        with storage._database.write() as connection:
            connection.execute(text("UPDATE attempts SET started_at = '2026-01-01 00:00:00.000000'"))
            connection.execute(text("UPDATE sweeps SET last_heartbeat = '2026-01-01 01:00:00.000000'"))
        storage.release()
        assert set(query("SELECT state FROM trials")["state"]) == {"WAITING"}
        found = query("SELECT outcome, error, ended_at FROM attempts")
        assert set(found["outcome"]) == {"LOST"} and set(found["error"]) == {"its driver died"}
        assert set(pd.to_datetime(found["ended_at"])) == {pd.Timestamp("2026-01-01 01:00:00")}

    def test_release_puts_back_what_was_running(self, storage: Storage, query: Query, four: list[Trial]) -> None:
        cohort = lease(storage, four[:1])
        lease(storage, four[1:3])
        storage.record(cohort, [complete(four[0])])
        storage.release(2)  # another sweep's, which runs nothing
        assert states(query)[1] == "RUNNING"
        storage.release(1)
        assert states(query) == {0: "COMPLETE", 1: "WAITING", 2: "WAITING", 3: "WAITING"}
        outcomes = query("SELECT outcome FROM attempts ORDER BY attempt_id")["outcome"]
        assert sorted(outcomes) == ["COMPLETE", "INTERRUPTED", "INTERRUPTED"]
        assert query("SELECT * FROM cohorts WHERE ended_at IS NULL").empty

    def test_starting_again_closes_the_attempt_that_was_lost(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        lease(storage, [four[0]])
        cohort = lease(storage, [four[0]])
        storage.record(cohort, [complete(four[0])])
        frame = query("SELECT outcome FROM attempts ORDER BY attempt_id")
        assert list(frame["outcome"]) == ["LOST", "COMPLETE"]
        assert list(query("SELECT attempts FROM trials WHERE seed = 0")["attempts"]) == [2]

    def test_retry_puts_back_what_failed_and_nothing_else(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        cohort = lease(storage, four[:3])
        storage.record(cohort, [complete(four[0]), diverged(four[1]), failed(four[2])])
        assert storage.retry() == 1
        assert states(query) == {0: "COMPLETE", 1: "DIVERGED", 2: "WAITING", 3: "WAITING"}
        assert four[2].trial_id not in storage.finished(IDENTITY)
        assert query("SELECT error FROM attempts WHERE outcome = 'FAILED'")["error"][0].endswith("it broke")
        assert storage.retry() == 0

    def test_retry_takes_those_of_one_reason_by_their_last_attempt(
        self, storage: Storage, query: Query, four: list[Trial]
    ) -> None:
        put(storage, [replace(failed(four[0]), reason="memory"), replace(failed(four[1]), reason="lost")])
        storage.retry("memory")
        put(storage, [failed(four[0])])  # another time for another reason
        assert storage.retry("memory") == 0
        assert storage.retry("lost") == 1
        assert states(query) == {0: "FAILED", 1: "WAITING", 2: "WAITING", 3: "WAITING"}

    def test_counts_go_by_family(self, storage: Storage) -> None:
        grid = [*trials(3), *trials(2, family="ebgan"), trial(family="ebgan_pt")]
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
        lease(storage, [grid[0]])
        cohort = lease(storage, [grid[3]])
        storage.record(cohort, [complete(grid[3])])
        shown = {family: {s: n for s, n in counts.items() if n} for family, counts in storage.counts().items()}
        expected = {"ebgan": {"COMPLETE": 1, "WAITING": 1}, "ebgan_pt": {"WAITING": 1}}
        assert shown == expected | {"gan": {"RUNNING": 1, "WAITING": 2}}

    def test_counts_of_some_trials_go_by_the_trials_whoever_declared_them(self, storage: Storage) -> None:
        grid = [*trials(3, space="./tiny.yaml"), *trials(2, family="ebgan")]
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
        put(storage, [failed(grid[0])])
        again = [trial(seed=seed, space="tiny.yaml") for seed in (0, 1)]
        counts = storage.counts({one.trial_id for one in again})
        assert counts == {"gan": dict.fromkeys(("RUNNING", "COMPLETE", "DIVERGED"), 0) | {"WAITING": 1, "FAILED": 1}}


class TestReading:
    def test_plain_pandas_gets_the_promised_columns_in_their_types(
        self, storage: Storage, url: str, four: list[Trial]
    ) -> None:
        cohort = lease(storage, four)
        scored = [complete(t, score=1.0 + t.settings.seed) for t in four[:3]]
        storage.record(cohort, [*scored, diverged(four[3])])
        frame = pd.read_sql("select * from results", url)
        assert list(frame.columns[: len(PROMISED)]) == PROMISED
        kinds = {name: frame[name].dtype.kind for name in PROMISED}
        assert {name for name, kind in kinds.items() if kind == "f"} >= {"lr", "score", "inception_score", "frechet"}
        assert all(kinds[name] == "i" for name in ("n_layer_g", "n_layer_d", "size_g", "size_d", "seed", "steps"))
        assert kinds["dropout_d"] in "bi"
        assert all(type(value) is str for name in ("trial_id", "family", "state", "device") for value in frame[name])
        assert sorted(frame["score"].dropna()) == [1.0, 2.0, 3.0]
        assert np.isnan(frame.set_index("seed").loc[3, "score"])
        assert frame["trial_id"].is_unique

    def test_results_come_in_the_order_of_the_grid(self, storage: Storage, url: str, four: list[Trial]) -> None:
        put(storage, [complete(t, score=1.0 + t.settings.seed) for t in four[::-1]])
        frame = load_results(url)
        assert list(frame["seed"]) == [0, 1, 2, 3]
        assert list(frame["score"]) == [1.0, 2.0, 3.0, 4.0]
        assert frame["dropout_d"].dtype == bool

    def test_a_reader_does_not_wait_for_a_long_write(self, storage: Storage, url: str, four: list[Trial]) -> None:
        put(storage, [complete(four[0])])
        writer = create_engine(url)
        with writer.connect() as connection:
            if storage.is_file:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("UPDATE trials SET state = 'FAILED'")
            start = time.perf_counter()
            assert storage.counts()["gan"] == dict.fromkeys(("RUNNING", "DIVERGED", "FAILED"), 0) | {
                "COMPLETE": 1,
                "WAITING": 3,
            }
            assert list(load_results(url)["state"]) == ["COMPLETE", "WAITING", "WAITING", "WAITING"]
            assert time.perf_counter() - start < 2
            connection.rollback()
        writer.dispose()

    def test_a_writer_does_not_wait_for_a_long_reading(self, storage: Storage, url: str, four: list[Trial]) -> None:
        reader = create_engine(url)
        if not storage.is_file:
            reader = reader.execution_options(isolation_level="REPEATABLE READ")
        with reader.connect() as connection:
            if storage.is_file:
                connection.exec_driver_sql("BEGIN")
            before = list(connection.exec_driver_sql("SELECT state FROM trials"))
            start = time.perf_counter()
            put(storage, [complete(t) for t in four])
            assert time.perf_counter() - start < 2
            assert list(connection.exec_driver_sql("SELECT state FROM trials")) == before
            connection.rollback()
        reader.dispose()
        assert storage.counts()["gan"]["COMPLETE"] == 4

    def test_two_writers_take_turns(self, storage: Storage, url: str) -> None:
        def write(first: int) -> None:
            writer = Storage(url)
            sweep_id = writer.declare(str(first), {}, {}, "1")
            for seed in range(first, first + 25):
                writer.add_trials(sweep_id, [trial(seed=seed)])
                writer.release()
            writer.close()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(write, first) for first in (0, 100)]:
                done.result()
        assert storage.counts()["gan"]["WAITING"] == 50

    def test_readers_meet_whole_cohorts_while_a_writer_works(self, storage: Storage, url: str) -> None:
        grid = trials(60)
        storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
        seen: list[int] = []
        over = threading.Event()

        def read() -> None:
            reader = Storage(url)
            while not over.is_set():
                seen.append(reader.counts()["gan"]["COMPLETE"])
            seen.append(reader.counts()["gan"]["COMPLETE"])
            reader.close()

        thread = threading.Thread(target=read)
        thread.start()
        for i in range(0, 60, 6):
            cohort = lease(storage, grid[i : i + 6])
            storage.record(cohort, [complete(t) for t in grid[i : i + 6]])
        over.set()
        thread.join()
        assert seen == sorted(seen)
        assert seen[-1] == 60
        assert all(n % 6 == 0 for n in seen)
