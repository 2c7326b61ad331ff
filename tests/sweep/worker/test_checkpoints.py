"""Checkpoints: a killed cohort continues from the last whole one and ends with the same bits as an undisturbed one."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_trials import trials
from safetensors import SafetensorError, safe_open

from models.mlp.training import CohortTraining
from search_spaces.experiments.mnist_gan import MNIST_GAN
from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort
from sweep.worker import checkpoints as module
from sweep.worker.checkpoint_folder import CheckpointFolder
from sweep.worker.checkpoints import Checkpoints
from sweep.worker.recipes.mnist_gan import new_training
from sweep.worker.train import CohortProgress, run_cohort

STEPS = 12
NAMES = [score.name for score in MNIST_GAN.scores]


def mixed(family: str = "gan", steps: int = STEPS) -> Cohort:
    """Two seeds, both optimisers, with and without dropout."""
    choices: list[dict[str, object]] = [
        {"optim_g": "adam", "optim_d": "sgd", "dropout_d": True},
        {"optim_g": "sgd", "optim_d": "adam"},
        {"lr": 0.01},
    ]
    members: list[Trial] = []
    for settings in choices:
        members += trials(2, family=family, steps=steps, n_layer_g=3, n_layer_d=3, **settings)
    return Cohort(tuple(replace(m, scoring=replace(m.scoring, times=3)) for m in members))


def training(cohort: Cohort) -> CohortTraining:
    numbers = torch.Generator().manual_seed(0)
    return new_training(cohort, torch.rand(50, 1024, generator=numbers) * 2 - 1)


def checkpoints(folder: Path, cohort: Cohort) -> Checkpoints:
    return Checkpoints(folder, cohort, torch.device("cpu"))


def assert_same(one: CohortTraining, two: CohortTraining) -> None:
    assert one.steps_done == two.steps_done
    ours, theirs = one.state(), two.state()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0, equal_nan=True, msg=name)


class Killed(BaseException):
    """No error: what SIGKILL would leave is left."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    original = CohortTraining.step

    def dies(self: CohortTraining) -> None:
        if self.steps_done == step:
            raise Killed
        original(self)

    monkeypatch.setattr(CohortTraining, "step", dies)


@pytest.mark.parametrize("family", ["gan", "ebgan_pt"])
def test_a_restored_training_goes_on_bit_by_bit(tmp_path: Path, family: str) -> None:
    cohort = mixed(family)
    whole, first = training(cohort), training(cohort)
    for _ in range(STEPS):
        whole.step()
    for _ in range(5):
        first.step()
    by_first, by_other = ({name: [0.5, math.inf, 1.0, 2.0, 3.0, 4.0] for name in names} for names in (NAMES, NAMES[:5]))
    scores = {4: [by_first, by_other, by_other]}
    checkpoints(tmp_path, cohort).save(first, 7.5, scores)
    found = checkpoints(tmp_path, cohort).restore(lambda: training(cohort))
    assert (found.seconds, found.scores, found.problem) == (7.5, scores, None)
    second = found.training
    assert_same(second, first)
    while second.steps_done < STEPS:
        second.step()
    assert_same(second, whole)


@pytest.mark.parametrize("dies_at", [5, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, STEPS - 1))])
def test_a_killed_cohort_ends_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    kept_in = CheckpointFolder(tmp_path, every_s=0)
    undisturbed = run_cohort(mixed())
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_at(patched, dies_at)
        run_cohort(mixed(), checkpoints=kept_in)
    steps: list[int] = []
    original = CohortTraining.step
    monkeypatch.setattr(CohortTraining, "step", lambda self: (steps.append(self.steps_done), original(self))[1])
    resumed = run_cohort(mixed(), checkpoints=kept_in)
    assert steps == list(range(dies_at, STEPS))
    for one, two in zip(undisturbed, resumed, strict=True):
        assert (one.trial_id, one.state, one.sheet) == (two.trial_id, two.state, two.sheet)
        assert [list(by_step) for by_step in one.scores.values()] == [[4, 8, STEPS]] * 3
        assert str(one.scores) == str(two.scores)  # every digit, and NaN is NaN


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "flipped": flipped}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(tmp_path: Path, how: str) -> None:
    cohort = mixed()
    one = training(cohort)
    for _ in range(3):
        one.step()
        checkpoints(tmp_path, cohort).save(one, 1.0, {})
    kept = sorted(path.name[:12] for path in tmp_path.iterdir())
    assert kept == [f"{2:012d}", f"{3:012d}"]
    damage(max(tmp_path.iterdir()), how)
    assert checkpoints(tmp_path, cohort).restore(lambda: training(cohort)).training.steps_done == 2
    damage(min(tmp_path.iterdir()), how)
    three = checkpoints(tmp_path, cohort).restore(lambda: training(cohort))
    assert (three.seconds, three.scores) == (0.0, {})
    assert_same(three.training, training(cohort))


def test_a_checkpoint_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = mixed()
    one = training(cohort)
    one.step()
    checkpoints(tmp_path, cohort).save(one, 1.0, {})
    other = Cohort(cohort.trials[::-1])
    assert checkpoints(tmp_path, other).restore(lambda: training(other)).training.steps_done == 0
    monkeypatch.setattr(torch, "__version__", "1.0")
    assert checkpoints(tmp_path, cohort).restore(lambda: training(cohort)).training.steps_done == 0


def test_what_cant_be_written_costs_the_checkpoint_and_not_the_cohort(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    reported: list[CohortProgress] = []
    records = run_cohort(mixed(), checkpoints=CheckpointFolder(tmp_path / "file", 0), report=reported.append)
    assert {record.state for record in records} == {"COMPLETE"}
    notes = [progress.note for progress in reported if progress.note]
    assert len(notes) == 1, "reported once, not at every checkpoint"
    assert "A checkpoint could not be written" in str(notes[0])


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"a part")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints(tmp_path, mixed()).save(training(mixed()), 1.0, {})
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_dropped_and_cleared(tmp_path: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, 0)
    kept, gone = mixed(), mixed(steps=STEPS + 1)
    for cohort in (kept, gone):
        checkpoints(kept_in.of(cohort), cohort).save(training(cohort), 1.0, {})
    assert kept_in.of(kept) != kept_in.of(gone)
    kept_in.clear([])
    kept_in.clear(gone.trial_ids[1:])
    assert len(list(tmp_path.iterdir())) == 2
    kept_in.clear(gone.trial_ids)
    assert [path.name for path in tmp_path.iterdir()] == [kept_in.of(kept).name]
    kept_in.drop(kept)
    assert list(tmp_path.iterdir()) == []
    CheckpointFolder(tmp_path / "missing").clear([])


def test_nothing_of_anybody_else_is_cleared(tmp_path: Path) -> None:
    """A folder that users share holds more than checkpoints."""
    strangers = ("photos/a.jpg", "0123456789abcdef/a.jpg", "fedcba9876543210/deep/a.safetensors", "empty0123456789a/x")
    for name in strangers:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("precious")
    (tmp_path / "00000000000000aa").mkdir()  # of a cohort that has only begun
    (tmp_path / "00000000000000aa" / "7.unfinished").write_text("a part")
    done = mixed()
    kept_in = CheckpointFolder(tmp_path, 0)
    checkpoints(kept_in.of(done), done).save(training(done), 1.0, {})
    kept_in.clear(done.trial_ids)
    assert not kept_in.of(done).exists()
    assert all((tmp_path / name).read_text() == "precious" for name in strangers)
    assert (tmp_path / "00000000000000aa" / "7.unfinished").exists()


def test_a_checkpoint_is_plain_tensors_with_no_secrets(tmp_path: Path) -> None:
    cohort = mixed()
    checkpoints(tmp_path, cohort).save(training(cohort), 1.0, {})
    (path,) = tmp_path.iterdir()
    with safe_open(path, framework="pt") as opened:
        assert set(opened.metadata()) == {
            *("format", "torch", "device", "trials", "scoring", "step", "seconds", "scores")
        }
        assert not math.isnan(float(opened.get_tensor("generator").sum()))
