"""At the time limit a worker finishes a cohort that soon ends; it stops any other with a checkpoint."""

from pathlib import Path

import pytest
from made_trials import trials

from sweep.planning.cohorts import Cohort
from sweep.records import Record
from sweep.worker import train
from sweep.worker.checkpoint_folder import CheckpointFolder
from sweep.worker.train import TimeLimit, cohort_steps, run_cohort

STEPS = 12
COHORT = Cohort(tuple(trials(3, steps=STEPS)))


@pytest.fixture(autouse=True)
def _reports_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "PROGRESS_S", 0.0)


def work(checkpoints: CheckpointFolder | None, seconds: float) -> list[Record]:
    """Run a cohort with a time limit in so many seconds."""
    steps = cohort_steps(COHORT, "cpu", checkpoints, seconds)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            records: list[Record] = end.value
            return records


def test_it_stops_with_a_checkpoint_and_goes_on_to_the_same_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = CheckpointFolder(tmp_path, every_s=1000)
    monkeypatch.setattr(train, "FINISH_S", 0.0)
    with pytest.raises(TimeLimit) as first:
        work(checkpoints, seconds=0)
    assert (first.value.share, first.value.problem) == (1 / STEPS, None)
    with pytest.raises(TimeLimit) as second:
        work(checkpoints, seconds=0)
    assert second.value.share == 2 / STEPS
    undisturbed = run_cohort(COHORT)
    resumed = work(checkpoints, seconds=1000)
    for one, two in zip(undisturbed, resumed, strict=True):
        assert (one.trial_id, one.state, one.sheet, str(one.scores)) == (
            two.trial_id,
            two.state,
            two.sheet,
            str(two.scores),
        )


def test_what_soon_ends_is_finished(tmp_path: Path) -> None:
    records = work(CheckpointFolder(tmp_path, every_s=1000), seconds=0)
    assert [record.state for record in records] == ["COMPLETE"] * 3
    assert not list(tmp_path.iterdir())


def test_what_does_not_end_in_the_time_that_was_expected_stops(tmp_path: Path) -> None:
    """The limit passed longer ago than a cohort may be waited for."""
    with pytest.raises(TimeLimit):
        work(CheckpointFolder(tmp_path), seconds=-train.FINISH_S)


def test_without_checkpoints_it_stops_too() -> None:
    with pytest.raises(TimeLimit) as stopped:
        work(None, seconds=-train.FINISH_S)
    assert stopped.value.problem is None


def test_a_checkpoint_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TimeLimit) as stopped:
        work(CheckpointFolder(tmp_path / "file"), seconds=-train.FINISH_S)
    assert "A checkpoint could not be written" in str(stopped.value.problem)
