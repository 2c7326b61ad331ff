"""Whatever lies in a folder of checkpoints, cohorts train and drivers start: what can't be used is as if not there."""

import hashlib
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from made_trials import rows, trials, write_space
from processes import on_one_core
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from data.mnist.dataset import ensure_mnist
from sweep.planning.cohorts import Cohort
from sweep.planning.machine import this_machine
from sweep.worker import train
from sweep.worker.checkpoint_folder import CheckpointFolder
from sweep.worker.train import CohortProgress, cohort_steps, run_cohort

STEPS, KEPT_AT = 6, 4
PATIENCE_S = 120.0
COHORT = Cohort(tuple(replace(t, scoring=replace(t.scoring, times=2)) for t in trials(2, steps=STEPS)))
DONE = Cohort(tuple(trials(2, steps=STEPS + 1)))
NEVER = 1e9
pytestmark = pytest.mark.usefixtures("every_step_is_reported")

Tensors, Facts = dict[str, Tensor], dict[str, str]
Forge = Callable[[Tensors, Facts], object]


@pytest.fixture
def every_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "PROGRESS_S", 0.0)


def written(cohort: Cohort, folder: Path) -> Path:
    """The checkpoint of a cohort that was cut off after some steps."""
    kept_in = CheckpointFolder(folder, every_s=0)
    steps = list(islice(cohort_steps(cohort, checkpoints=kept_in), KEPT_AT))
    assert steps[-1].member_steps == KEPT_AT * len(cohort.trials)
    return max(kept_in.of(cohort).iterdir())


def read(path: Path) -> tuple[Tensors, Facts]:
    with safe_open(path, framework="pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata()  # noqa: SIM118 (no mapping)


def put_in(folder: Path, tensors: Tensors, facts: Facts | None, step: int = KEPT_AT) -> Path:
    """A file with the name that belongs to its content."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "new", metadata=facts)
    digest = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    return (folder / "new").rename(folder / f"{step:012d}-{digest}.safetensors")


def first_reports(kept_in: CheckpointFolder) -> list[CohortProgress]:
    return list(islice(cohort_steps(COHORT, checkpoints=kept_in), 2))


def facts(**changes: object) -> Forge:
    """Other facts, as they are if text, else in JSON."""
    return lambda _, known: known.update(
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()}
    )


def without(name: str) -> Forge:
    return lambda tensors, known: [found.pop(name, None) for found in (tensors, known)]


def tensor(name: str, change: Callable[[Tensor], Tensor]) -> Forge:
    return lambda tensors, _: tensors.update({name: change(tensors[name]).contiguous()})


def scores(**changes: object) -> Forge:
    """Other scores at the step that was scored."""

    def change(_: Tensors, known: Facts) -> None:
        found = json.loads(known["scores"])
        found["3"][0] |= changes
        known["scores"] = json.dumps(found)

    return change


KEYS = ("format", "torch", "device", "trials", "scoring", "step", "seconds", "scores")
FORGED: dict[str, Forge] = {
    **{f"no {name}": without(name) for name in (*KEYS, "generator", "draws.noise.1", "draws.order.0")},
    "no tensors": lambda tensors, _: tensors.clear(),
    "other trials": facts(trials="0123456789abcdef"),
    "a row less": tensor("discriminator", lambda t: t[:1]),
    "one number": tensor("generator", lambda t: t[:1, :1]),
    "double precision": tensor("generator", lambda t: t.double()),
    "images beyond the last": tensor("draws.order.0", lambda t: t + 60_000),
    "images before the first": tensor("draws.order.1", lambda t: -1 - t),
    "images that are no numbers": tensor("draws.order.1", lambda t: t.double() * math.nan),
    "a short stream": tensor("draws.noise.0", lambda t: t[:-1]),
    "no stream": tensor("draws.noise.1", lambda t: torch.full_like(t, 255)),
    **{f"step {value}": facts(step=value) for value in ("NaN", "4 4", -1, STEPS + 1, 2.0, True)},
    **{f"seconds {value}": facts(seconds=value) for value in ("NaN", "Infinity", -1, None, {})},
    **{f"scores {value}": facts(scores=value) for value in ([], {"3": 1}, {"x": [{}]}, {"3": []}, {"3": [{}]})},
    "deep scores": facts(scores="[" * 100_000),
    "scores of the last step": lambda _, known: facts(scores={"6": json.loads(known["scores"])["3"]})({}, known),
    "a score too few": scores(score=[0.5]),
    "no list of scores": scores(score=0.5),
    "scores in words": scores(score=["0.5", "0.5"]),
    "scores too large": scores(score=[10**400, 1]),
    "one more score": scores(surprise=[0.5, 0.5]),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that can be used."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train, "PROGRESS_S", 0.0)
        return written(COHORT, tmp_path_factory.mktemp("whole"))


def forged(whole: Path, folder: Path, how: Forge, step: int = KEPT_AT) -> Path:
    tensors, known = read(whole)
    how(tensors, known)
    return put_in(folder, tensors, known, step)


def link(path: Path, whole: Path) -> None:
    path.symlink_to(whole)


def loop(path: Path, whole: Path) -> None:
    path.symlink_to(path)


def cut(path: Path, whole: Path) -> None:
    path.write_bytes(whole.read_bytes()[:1000])


def words(path: Path, whole: Path) -> None:
    path.write_text("precious")


def closed(path: Path, whole: Path) -> None:
    path.write_text("precious")
    path.chmod(0)


def folder_of_files(path: Path, whole: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("precious")


PLANTED = (link, loop, cut, words, closed, folder_of_files)
NAMES = (f"{KEPT_AT:012d}-{'0' * 64}.safetensors", "model.safetensors")


def assert_starts_at_the_beginning(reported: list[CohortProgress], name: str) -> None:
    note, first = reported
    assert str(note.note).startswith(f"A checkpoint of this cohort could not be used: {name}: ")
    assert str(note.note).endswith(". Training starts from its beginning.")
    assert (first.member_steps, first.note) == (len(COHORT.trials), None), "reported once"


def test_a_whole_checkpoint_is_used_without_a_note(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    forged(whole, kept_in.of(COHORT), lambda *_: None)
    (first, _) = first_reports(kept_in)
    assert first == CohortProgress((KEPT_AT + 1) * 2, STEPS * 2)


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_file_is_no_checkpoint(tmp_path: Path, whole: Path, how: str) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    path = forged(whole, kept_in.of(COHORT), FORGED[how])
    assert_starts_at_the_beginning(first_reports(kept_in), path.name)


def test_a_file_without_metadata_is_no_checkpoint(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    path = put_in(kept_in.of(COHORT), read(whole)[0], None)
    assert_starts_at_the_beginning(first_reports(kept_in), path.name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("plant", PLANTED)
def test_a_foreign_file_is_no_checkpoint(
    tmp_path: Path, whole: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    kept_in.of(COHORT).mkdir()
    plant(kept_in.of(COHORT) / name, whole)
    assert_starts_at_the_beginning(first_reports(kept_in), name)


def test_a_link_to_a_checkpoint_is_not_followed(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    kept_in.of(COHORT).mkdir()
    link(kept_in.of(COHORT) / whole.name, whole)
    assert_starts_at_the_beginning(first_reports(kept_in), whole.name)


@contextmanager
def nobody_reads(fifo: Path) -> Iterator[None]:
    """Make a fifo, and assert that nobody opens it. A reader that does so finds it empty and is not kept waiting."""
    os.mkfifo(fifo)
    opened = threading.Event()

    def write() -> None:
        descriptor = os.open(fifo, os.O_WRONLY)  # comes back when there is a reader
        opened.set()
        os.close(descriptor)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield
    found = opened.is_set()
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer.join()
    os.close(reader)
    assert not found


@pytest.mark.parametrize("name", NAMES)
def test_a_fifo_is_not_waited_for(tmp_path: Path, name: str) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    kept_in.of(COHORT).mkdir()
    with nobody_reads(kept_in.of(COHORT) / name):
        assert_starts_at_the_beginning(first_reports(kept_in), name)
    (kept_in.of(COHORT) / name).unlink()
    with nobody_reads(kept_in.of(COHORT) / name):
        kept_in.clear(COHORT.trial_ids)


def test_the_newest_that_can_be_used_is_used(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    forged(whole, kept_in.of(COHORT), lambda *_: None)
    newer = [
        forged(whole, kept_in.of(COHORT), how, 5 + i) for i, how in enumerate((facts(step=-1), without("generator")))
    ]
    note, first = first_reports(kept_in)
    assert str(note.note).startswith(f"A checkpoint of this cohort could not be used: {newer[-1].name}: ")
    assert str(note.note).endswith(f". Training goes on from update {KEPT_AT}.")
    assert (note.member_steps, first.member_steps) == (KEPT_AT * 2, (KEPT_AT + 1) * 2)


def test_a_cohort_among_all_of_them_ends_as_if_they_were_not_there(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, every_s=0)
    folder = kept_in.of(COHORT)
    for step, how in enumerate(FORGED.values(), start=7):
        forged(whole, folder, how, step)
    for number, plant in enumerate(PLANTED):
        plant(folder / f"{number}.safetensors", whole)
    foreign = set(folder.iterdir())
    reported: list[CohortProgress] = []
    records = run_cohort(COHORT, checkpoints=kept_in, report=reported.append)
    undisturbed = run_cohort(COHORT)
    assert [record.state for record in records] == ["COMPLETE"] * 2
    for one, other in zip(records, undisturbed, strict=True):
        assert str(one.scores) == str(other.scores)  # NaN is NaN
        assert one.sheet == other.sheet
    assert len([progress for progress in reported if progress.note]) == 1
    assert {path.name[:12] for path in set(folder.iterdir()) - foreign} == {f"{STEPS - 1:012d}", f"{STEPS:012d}"}
    assert foreign <= set(folder.iterdir())


def hostile_name(folder: Path) -> Path:
    return folder / "\x1b[2Jx\ny.safetensors"


def test_a_note_is_one_line_of_plain_letters(tmp_path: Path) -> None:
    kept_in = CheckpointFolder(tmp_path, NEVER)
    kept_in.of(COHORT).mkdir()
    hostile_name(kept_in.of(COHORT)).write_text("precious")
    note, _ = first_reports(kept_in)
    assert note.note is not None
    assert note.note.isprintable()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a cohort that has ended since."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train, "PROGRESS_S", 0.0)
        return written(DONE, tmp_path_factory.mktemp("done"))


def plant_all(kept_in: CheckpointFolder, whole: Path) -> set[Path]:
    """Foreign files and folders in a folder of checkpoints; what they are called."""
    folders = [kept_in.folder, kept_in.of(COHORT), kept_in.folder / "0123456789abcdef"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            for plant in PLANTED:
                plant(folder / f"{plant.__name__}-{name}", whole)
    for name in ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"):
        (kept_in.folder / name).symlink_to(name)
        (folders[1] / name).symlink_to(folders[1])
    (kept_in.folder / "cccccccccccccccc").write_text("precious")
    os.mkfifo(kept_in.folder / "dddddddddddddddd")
    hostile_name(folders[2]).write_text("precious")
    return {path for folder in folders for path in folder.iterdir()}


def test_a_driver_clears_what_is_finished_and_nothing_of_anybody_else(tmp_path: Path, whole: Path, done: Path) -> None:
    kept_in = CheckpointFolder(tmp_path)
    foreign = plant_all(kept_in, whole)
    put_in(kept_in.of(DONE), *read(done))
    for how in FORGED.values():
        forged(whole, tmp_path / "fedcba9876543210", how)
    put_in(tmp_path / "eeeeeeeeeeeeeeee", read(whole)[0], None)
    kept_in.clear(DONE.trial_ids)
    assert not kept_in.of(DONE).exists()
    assert {path for path in foreign if os.path.lexists(path)} == foreign
    assert len(list((tmp_path / "fedcba9876543210").iterdir())) == len(FORGED)


def test_a_cohort_that_ends_drops_its_own_files_alone(tmp_path: Path, whole: Path) -> None:
    kept_in = CheckpointFolder(tmp_path)
    foreign = plant_all(kept_in, whole)
    own = forged(whole, kept_in.of(COHORT), lambda *_: None)
    kept_in.drop(COHORT)
    assert not own.exists()
    assert {path for path in foreign if os.path.lexists(path)} == foreign
    CheckpointFolder(tmp_path / "cccccccccccccccc").clear([])
    CheckpointFolder(tmp_path / "cccccccccccccccc").drop(COHORT)


@pytest.mark.slow
@pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU")
def test_a_real_sweep_starts_and_ends_among_them(tmp_path: Path, whole: Path) -> None:
    ensure_mnist()
    space, file = write_space(tmp_path / "grid.yaml", layers=[2]), tmp_path / "results.db"
    foreign = plant_all(CheckpointFolder(tmp_path / "results-checkpoints"), whole)
    put_in(tmp_path / "results-checkpoints" / "eeeeeeeeeeeeeeee", read(whole)[0], None)
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{file}", "--workers", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, preexec_fn=on_one_core())
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert rows(file, "SELECT DISTINCT state FROM trials") == [("COMPLETE",)]
    assert {path for path in foreign if os.path.lexists(path)} == foreign
