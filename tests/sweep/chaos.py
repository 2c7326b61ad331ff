"""A sweep under fire: it is run while its processes are killed, its database locked and its disk filled.

`python tests/sweep/chaos.py --minutes 10` is `make chaos`; the tests run a short form. At the end the database must
equal, value for value, that of a sweep that nobody disturbed.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import workers_of

ROOT = Path(__file__).parent.parent.parent
SPACE = """\
family: gan
axes:
  n_layer_g: {layers}
  n_layer_d: [2, 3]
  lr: [0.01, 0.001]
  optim_d: [adam, sgd]
fixed: {{size_g: 24, size_d: 16, dropout_d: true, optim_g: adam}}
training: {{steps: {steps}, batch_size: 16, z_dim: 10}}
scoring: {{n_samples: 500}}
"""
BETWEEN_S, LOCKED_S, FULL_S = 3.0, 10.0, 10.0
STARTING_S = 90.0  # Ray may take long where much else runs
DISK_MB = 16
VALUES = """
SELECT t.trial_id, t.state, i.formula, i.classifier, i.n_samples, i.z_seed,
       s.step, s.score, s.inception_score, s.coverage, s.entropy, s.frechet, hex(p.png)
FROM trials t
LEFT JOIN scores s ON s.trial_id = t.trial_id
LEFT JOIN score_identities i ON i.identity_id = s.identity_id
LEFT JOIN samples p ON p.trial_id = t.trial_id
ORDER BY t.trial_id
"""


@dataclass
class Outcome:
    """What happened, and what was left.

    Attributes:
        faults: how often each kind struck.
        kills: processes killed.
        pauses: how often the sweep told that it waits for its database.
        repeated: cohorts that were started more than once.
        lost: trials of the undisturbed sweep that are not there with their values.
        duplicated: trials that are there more than once, or with more than one score.
        different: trials with other values.
    """

    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    pauses: int = 0
    repeated: int = 0
    lost: int = 0
    duplicated: int = 0
    different: int = 0
    trials: int = 0

    def __str__(self) -> str:
        struck = ", ".join(f"{name} {n}x" for name, n in self.faults.items())
        return (
            f"faults: {struck}\n{self.kills} kills survived, {self.pauses} pauses, {self.repeated} cohorts repeated; "
            f"of {self.trials} trials {self.lost} lost, {self.duplicated} duplicated, {self.different} different"
        )


class Chaos:
    """One disturbed sweep.

    Args:
        folder: where its files go.
        seed: of what strikes when.
        seconds: how long faults strike, each kind once at least.
        layers, steps: size of the grid, 8 trials a layer, and of a training.
        between_s: seconds of work between two faults, at most.
        locked_s, full_s: how long the database stays locked and the disk full.
        small_disk: whether to try to mount a disk that can be filled.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        seconds: float,
        layers: int,
        steps: int,
        between_s: float = BETWEEN_S,
        locked_s: float = LOCKED_S,
        full_s: float = FULL_S,
        small_disk: bool = True,
    ) -> None:
        self._between_s, self._locked_s, self._full_s = between_s, locked_s, full_s
        self._random = random.Random(seed)
        self._seconds = seconds
        self._space = folder / "grid.yaml"
        self._space.write_text(SPACE.format(layers=list(range(2, 2 + layers)), steps=steps), encoding="utf-8")
        self._quiet, self._disk = folder / "quiet", folder / "disk"
        for path in (self._quiet, self._disk):
            path.mkdir()
        self._small = small_disk and _mount(self._disk)
        self._file = self._disk / "results.db"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "output.txt"
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """The undisturbed sweep, the disturbed one, and what differs."""
        try:
            done = subprocess.run(self._command(self._quiet / "results.db"), env=_environment(), capture_output=True)
            assert done.returncode == 0, done.stdout + done.stderr
            self._disturb()
            self._compare()
        finally:
            if self._process and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            if self._small:
                subprocess.run(["umount", "--lazy", str(self._disk)], check=False)
        return self.outcome

    def _command(self, file: Path) -> list[str]:
        url = f"sqlite:///{file}"
        options = ["--workers", "2", "--checkpoint-minutes", "0.01", "--max-attempts", "1000"]
        return [sys.executable, "-m", "sweep", "run", str(self._space), "--db", url, *options]

    def _disturb(self) -> None:
        faults = [self._kill_worker, self._cut_checkpoint, self._lock, self._kill_driver, self._fill, self._interrupt]
        self.outcome.faults = {fault.__name__.strip("_").replace("_", " "): 0 for fault in faults}
        waiting = list(faults)
        end = time.monotonic() + self._seconds
        self._start()
        while True:
            if self._wait_for_work(self._random.uniform(0.2, self._between_s)):
                return  # it has finished
            if not waiting and time.monotonic() < end:
                waiting = self._random.sample(faults, len(faults))
            if waiting:
                fault = waiting.pop(0)
                fault()
                self.outcome.faults[fault.__name__.strip("_").replace("_", " ")] += 1

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(self._file), env=_environment(), stdout=log, stderr=log, start_new_session=True, cwd=ROOT
            )

    def _wait_for_work(self, seconds: float) -> bool:
        """Let it work for a while from when a cohort is running, starting it if need be; True once it is done."""
        end, patience = None, time.monotonic() + STARTING_S
        while end is None or time.monotonic() < end:
            assert self._process is not None
            code = self._process.poll()
            if code == 0:
                return True
            if code is not None:
                assert code in (130, -signal.SIGKILL), f"ended with {code}: {self._log.read_text()[-3000:]}"
                self._start()
                end, patience = None, time.monotonic() + STARTING_S
            if end is None and self._workers() and self._running():
                end = time.monotonic() + seconds
            assert end or time.monotonic() < patience, self._log.read_text()[-3000:]
            time.sleep(0.1)
        return False

    def _workers(self) -> list[int]:
        assert self._process is not None
        return workers_of(self._process.pid)

    def _running(self) -> bool:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as reader:
            return bool(reader.execute("SELECT count(*) FROM cohorts").fetchone()[0])
        return False

    def _kill_worker(self) -> None:
        if workers := self._workers():
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(workers), signal.SIGKILL)
                self.outcome.kills += 1

    def _kill_driver(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.outcome.kills += 1

    def _interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STARTING_S)

    def _lock(self) -> None:
        with closing(sqlite3.connect(self._file, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._locked_s)
            other.execute("ROLLBACK")

    def _fill(self) -> None:
        """No room: a small disk is filled; where none can be mounted, the system lets the driver write no file."""
        assert self._process is not None
        if not self._small:
            before = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
            time.sleep(self._full_s)
            with suppress(ProcessLookupError):
                resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, before)
            return
        balloon = self._disk / "balloon"
        with balloon.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        time.sleep(self._full_s)
        balloon.unlink()

    def _cut_checkpoint(self) -> None:
        """Cut the newest checkpoint in half, and kill the worker that would write the next one."""
        found = sorted((self._disk / "results-checkpoints").rglob("*.safetensors"), key=lambda path: path.name)
        self._kill_worker()
        if found:
            with suppress(OSError):
                os.truncate(found[-1], found[-1].stat().st_size // 2)

    def _compare(self) -> None:
        quiet, disturbed = _rows(self._quiet / "results.db", VALUES), _rows(self._file, VALUES)
        expected, found = ({row[0]: row[1:] for row in rows} for rows in (quiet, disturbed))
        outcome = self.outcome
        outcome.trials = len(expected)
        outcome.lost = sum(found.get(i, ("WAITING",))[0] != row[0] for i, row in expected.items())
        outcome.duplicated = len(disturbed) - len(found)
        outcome.different = sum(i in found and found[i] != row for i, row in expected.items()) + len(
            found.keys() - expected.keys()
        )
        starts = (
            "SELECT count(DISTINCT started_at || sweep_id) FROM attempts WHERE outcome NOT IN ('COMPLETE', 'DIVERGED')"
        )
        ((outcome.repeated,),) = _rows(self._file, starts)
        outcome.pauses = self._log.read_text(encoding="utf-8").count("Paused, ")
        problems = _rows(self._file, "PRAGMA integrity_check")
        assert problems == [("ok",)], problems
        assert _rows(self._file, "SELECT count(*) FROM attempts WHERE outcome IS NULL") == [(0,)]


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def _mount(folder: Path) -> bool:
    """Make the folder a small disk of its own, where this is allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1000))
    options = parser.parse_args()
    print(f"seed {options.seed}, faults for {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        # Work for about as long as faults strike, on two cores.
        outcome = Chaos(
            Path(folder), options.seed, 60 * options.minutes, layers=12, steps=round(700 * options.minutes)
        ).run()
    print(outcome)
    return 1 if outcome.lost or outcome.duplicated or outcome.different else 0


if __name__ == "__main__":
    sys.exit(main())
