"""A sweep under fire: it is run while its processes are killed, its database locked or frozen and its disk filled.

`python tests/sweep/chaos.py --minutes 10` is `make chaos`; the tests run a short form. Two sweeps are disturbed, one
after the other: one on an SQLite file that begins as one of an older version, and one on a PostgreSQL server. At the
end each database must equal, value for value, that of a sweep that nobody disturbed.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from chaos_targets import File, Server, Target, read
from processes import HELPERS, beginning_with, heed_signals, started_by, workers_of

from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep.planning.costs import mnist_gan as cost

ROOT = Path(__file__).parent.parent.parent
IN_FLIGHT = "SELECT 1 FROM cohorts WHERE ended_at IS NULL"
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
BETWEEN_S, LOCKED_S, FULL_S, FROZEN_S = 3.0, 10.0, 10.0, 45.0
STARTING_S = 120.0  # Ray may take long where much else runs
WORKERS = 2
DRIVER = "sweep.driver.child"
# Memory decides how cohorts are cut, and is never the same at two starts: this share more or less.
SPREAD = 0.05
VALUES = """
SELECT t.trial_id || ' ' || coalesce(i.classifier, '') AS id, t.state, i.formula, i.n_samples, i.z_seed,
       s.step, s.score, s.inception_score, s.coverage, s.entropy, s.frechet, p.png
FROM trials t
LEFT JOIN scores s ON s.trial_id = t.trial_id
LEFT JOIN score_identities i ON i.identity_id = s.identity_id
LEFT JOIN samples p ON p.trial_id = t.trial_id
ORDER BY id
"""


@dataclass
class Outcome:
    """What happened, and what was left.

    Attributes:
        faults: how often each kind struck.
        kills: processes killed.
        pauses: how often the sweep told that it waits for its database.
        restarts: how often it started Ray again.
        repeated: cohorts that were started more than once.
        lost: trials of the undisturbed sweep that are not there with their values.
        duplicated: trials that are there more than once, or with more than one score.
        different: trials with other values.
    """

    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    repeated: int = 0
    lost: int = 0
    duplicated: int = 0
    different: int = 0
    trials: int = 0

    def __str__(self) -> str:
        struck = ", ".join(f"{name} {n}x" for name, n in self.faults.items())
        return (
            f"faults: {struck}\n{self.kills} kills survived, {self.pauses} pauses, Ray started again {self.restarts} "
            f"times, {self.repeated} cohorts repeated; of {self.trials} trials {self.lost} lost, "
            f"{self.duplicated} duplicated, {self.different} different"
        )


class Chaos:
    """A grid, and sweeps over it that are disturbed or not.

    Args:
        folder: where its files go.
        seed: of what strikes when.
        layers, steps: size of the grid, 8 trials a layer, and of a training.
        between_s: seconds of work between two faults, at most.
    """

    def __init__(self, folder: Path, seed: int, layers: int, steps: int, between_s: float = BETWEEN_S) -> None:
        self._between_s = between_s
        self._random = random.Random(seed)
        self._space = folder / "grid.yaml"
        self._space.write_text(SPACE.format(layers=list(range(2, 2 + layers)), steps=steps), encoding="utf-8")
        self._folder = folder
        self._memory = self._for_three_members()
        self._quiet = f"sqlite:///{folder}/quiet.db"
        self._log = folder / "output.txt"

    def leave_in_peace(self) -> None:
        """The sweep that nobody disturbs."""
        command = self._command(self._quiet, self._folder / "quiet-checkpoints")
        done = subprocess.run(command, env=self._environment(self._memory), capture_output=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr

    def disturb(self, target: Target, seconds: float) -> Outcome:
        """A sweep that is hit by faults for so long, each kind once at least; and what differs at its end."""
        self._target, self._process, self.outcome = target, None, Outcome()
        self._log.write_bytes(b"")
        try:
            self._hit(seconds)
            self._compare()
        finally:
            self._end()
        return self.outcome

    def _for_three_members(self) -> float:
        """Free memory, in bytes, in which a cohort of the largest shape has three members: shapes have four."""
        trials = expand([load_space(str(self._space))])
        largest = max(cost.shared_bytes(t) + 3.5 * cost.largest_member_bytes([t]) for t in trials)
        return largest * WORKERS / 0.7

    def _command(self, url: str, checkpoints: Path) -> list[str]:
        options = ["--workers", str(WORKERS), "--checkpoint-minutes", "0.01", "--max-attempts", "1000"]
        command = [sys.executable, "-m", "sweep", "run", str(self._space), "--db", url]
        return [*command, *options, "--checkpoints", str(checkpoints)]

    def _environment(self, memory: float) -> dict[str, str]:
        code = f"from sweep.planning import machine\nmachine._free_memory = lambda: {int(memory)}"
        return beginning_with(code, self._folder / "memory")

    def _hit(self, seconds: float) -> None:
        faults = self._faults()
        self.outcome.faults = dict.fromkeys(faults, 0)
        waiting = list(faults)
        end = time.monotonic() + seconds
        self._start(self._memory)
        while True:
            if self._wait_for_work(self._random.uniform(0.2, self._between_s)):
                return  # it has finished
            if not waiting and time.monotonic() < end:
                waiting = self._random.sample(list(faults), len(faults))
            if waiting:
                name = waiting.pop(0)
                faults[name]()
                self.outcome.faults[name] += 1

    def _faults(self) -> dict[str, Callable[[], None]]:
        own = {
            "kill worker": self._kill_worker,
            "cut checkpoint": self._cut_checkpoint,
            "kill helper": self._kill_helper,
            "kill driver": self._kill_driver,
            "kill all": self._kill_all,
            "signal to all": self._signal_all,
            "signal to group": self._signal_group,
            "interrupt": self._interrupt,
        }

        def of_target(fault: Callable[[int], None]) -> Callable[[], None]:
            return lambda: fault(self._driver())

        return own | {name: of_target(fault) for name, fault in self._target.faults().items()}

    def _start(self, memory: float) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(self._target.url, self._target.checkpoints),
                env=self._environment(memory),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=heed_signals,
                cwd=ROOT,
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
                self._start(self._memory * self._random.uniform(1 - SPREAD, 1 + SPREAD))
                end, patience = None, time.monotonic() + STARTING_S
            if (
                end is None
                and self._workers()
                and read(self._target.url, "SELECT 1 FROM cohorts WHERE ended_at IS NULL")
            ):
                end = time.monotonic() + seconds
            assert end or time.monotonic() < patience, self._log.read_text()[-3000:]
            time.sleep(0.1)
        return False

    def _below(self) -> list[psutil.Process]:
        """The sweep, and every process that it started."""
        assert self._process is not None
        return started_by(self._process.pid)

    def _driver(self) -> int:
        """The process that has Ray started and writes to the database."""
        for process in self._below():
            with suppress(psutil.NoSuchProcess):
                if DRIVER in process.cmdline():
                    return process.pid
        assert self._process is not None
        return self._process.pid

    def _workers(self) -> list[int]:
        assert self._process is not None
        return workers_of(self._process.pid)

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.outcome.kills += 1

    def _kill_worker(self) -> None:
        if workers := self._workers():
            self._kill(self._random.choice(workers))

    def _kill_helper(self) -> None:
        if helpers := [process.pid for process in self._below() if process.name() in HELPERS]:
            self._kill(self._random.choice(helpers))

    def _kill_driver(self) -> None:
        self._kill(self._driver())

    def _kill_all(self) -> None:
        """The process that was started; what it started goes along."""
        assert self._process is not None
        self._kill(self._process.pid)
        self._process.wait()

    def _signal_all(self) -> None:
        """As systemd stops a service."""
        number = self._random.choice((signal.SIGTERM, signal.SIGHUP))
        for process in self._below():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        self._wait_for_end()

    def _signal_group(self) -> None:
        """As a terminal that is closed."""
        assert self._process is not None
        os.killpg(self._process.pid, self._random.choice((signal.SIGTERM, signal.SIGHUP)))
        self._wait_for_end()

    def _interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._wait_for_end()

    def _wait_for_end(self) -> None:
        assert self._process is not None
        self._process.wait(STARTING_S)

    def _cut_checkpoint(self) -> None:
        """Cut the newest checkpoint in half, and kill the worker that would write the next one."""
        found = sorted(self._target.checkpoints.rglob("*.safetensors"), key=lambda path: path.name)
        self._kill_worker()
        if found:
            with suppress(OSError):
                os.truncate(found[-1], found[-1].stat().st_size // 2)

    def _end(self) -> None:
        if self._process and self._process.poll() is None:
            for process in self._below():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()

    def _compare(self) -> None:
        whole, outcome = self._target.whole(), self.outcome
        disturbed = read(whole, VALUES)
        expected, found = ({row[0]: row[1:] for row in rows} for rows in (read(self._quiet, VALUES), disturbed))
        outcome.trials = len({name.split()[0] for name in expected})
        outcome.lost = sum(found.get(i, ("WAITING",))[0] != row[0] for i, row in expected.items())
        outcome.duplicated = len(disturbed) - len(found)
        outcome.different = sum(i in found and found[i] != row for i, row in expected.items()) + len(
            found.keys() - expected.keys()
        )
        starts = "SELECT DISTINCT started_at, sweep_id FROM attempts WHERE outcome NOT IN ('COMPLETE', 'DIVERGED')"
        outcome.repeated = len(read(whole, starts))
        told = self._log.read_text(encoding="utf-8")
        outcome.pauses, outcome.restarts = told.count("Paused, "), told.count("Ray failed, starting it again")
        assert "Traceback" not in told, told[-3000:]
        if whole.startswith("sqlite"):
            assert read(whole, "PRAGMA integrity_check") == [("ok",)]
        assert read(whole, "SELECT count(*) FROM attempts WHERE outcome IS NULL") == [(0,)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1000))
    options = parser.parse_args()
    print(f"seed {options.seed}, faults for {options.minutes:g} minutes", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Work for about as long as faults strike, on two cores.
        chaos = Chaos(folder, options.seed, layers=12, steps=round(350 * options.minutes))
        chaos.leave_in_peace()
        for make in (lambda: File(folder, LOCKED_S, FULL_S), lambda: Server(folder, FROZEN_S)):
            target: Target = make()
            try:
                outcome = chaos.disturb(target, 30 * options.minutes)
            finally:
                target.close()
            print(f"{type(target).__name__.lower()}: {outcome}", flush=True)
            bad += outcome.lost + outcome.duplicated + outcome.different
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
