"""Processes that measure at the same moment, one on each core, so that all cores are as busy as in a sweep.

Python starts and the images load once; every measurement is a message. On a CUDA device there is one process.
"""

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search_spaces.trial import Trial
from sweep.worker.memory import ALLOCATOR, return_memory


class ProcessError(Exception):
    """A measurement failed; the message is the traceback of the process."""


class Bench:
    """What a process can measure; there is one in each process."""

    def __init__(self, device: str) -> None:
        import torch

        from data.tensors import load_mnist, scale

        self._torch, self._device = torch, torch.device(device)
        torch.set_num_threads(1)
        self._images = scale(load_mnist("train")[0]).flatten(1).to(self._device)
        self._baselines: dict[str, Any] = {}
        self._estimates: dict[str, float] = {}
        self._members = 0

    def prepare(self, cells: Sequence[Trial], baselines: Sequence[str], memory: int) -> None:
        """Build the baselines for these cells and warm them up."""
        from benchmarks.baselines.cohort import CohortBaseline
        from benchmarks.baselines.loop import LoopBaseline
        from benchmarks.baselines.vmap import VmapBaseline

        make: dict[str, Callable[[], Any]] = {
            "loop": lambda: LoopBaseline(cells, self._images),
            "loops": lambda: LoopBaseline(cells, self._images),
            "vmap": lambda: VmapBaseline(cells, self._images),
            "cohort": lambda: CohortBaseline(cells, self._images, memory),
        }
        self._baselines.clear()
        return_memory()
        self._members = len(cells)
        for name in baselines:
            if name == "loops" and "loop" in self._baselines:  # the same, measured in every process at once
                self._baselines[name], self._estimates[name] = self._baselines["loop"], self._estimates["loop"]
                continue
            baseline = self._baselines[name] = make[name]()
            self._estimates[name] = self._timed(baseline.run, 1)
            if self._estimates[name] < 0.5:  # the first step allocates, which distorts a short one
                self._estimates[name] = self._timed(baseline.run, 1)

    def measure(self, name: str, threads: int, seconds: float) -> float:
        """Member-steps per second over about so many seconds, one step at least."""
        self._torch.set_num_threads(threads)
        steps = max(1, round(seconds / self._estimates[name]))
        took = self._timed(self._baselines[name].run, steps)
        self._estimates[name] = took / steps
        return self._members * steps / took

    def product(self, size: int, threads: int, seconds: float) -> float:
        """Operations per second of a product of two square matrices."""
        torch = self._torch
        torch.set_num_threads(threads)
        a, b = (torch.randn(size, size, device=self._device) for _ in range(2))
        out = torch.empty_like(a)
        return 2 * size**3 * self._rate(lambda: torch.mm(a, b, out=out), seconds)

    def copy(self, touched: int, threads: int, seconds: float) -> float:
        """Bytes per second, read and written, of a copy between two arrays of half these bytes each."""
        torch = self._torch
        torch.set_num_threads(threads)
        source = torch.ones(touched // 8, device=self._device)
        target = torch.empty_like(source)
        return touched * self._rate(lambda: target.copy_(source), seconds)

    def score(self, cells: Sequence[Trial]) -> float:
        """Seconds that a worker spends on scoring one member in a whole training, intermediate scores included."""
        from benchmarks.baselines.cohort import CohortBaseline
        from search_spaces.experiments.mnist_gan import GanScoring
        from search_spaces.scored_steps import scored_steps
        from sweep.worker.recipes.mnist_gan import evaluate

        torch = self._torch
        torch.set_num_threads(1)
        training = CohortBaseline(cells, self._images).trainings[0]
        scoring = cells[0].scoring
        evaluate(training, GanScoring(n_samples=20, z_seed=scoring.z_seed), self._device)

        def whole() -> None:
            for _ in scored_steps(cells[0].training, scoring):
                evaluation = evaluate(training, scoring, self._device)
            evaluation.sheets()

        return self._timed(whole) / len(cells)

    def profile(self, cells: Sequence[Trial], seconds: float) -> dict[str, float]:
        """Fraction of every part in the time of a step of the cells as one cohort."""
        from benchmarks.baselines.cohort import CohortBaseline
        from benchmarks.throughput.profile import profile_step

        self._torch.set_num_threads(1)
        baseline = CohortBaseline(cells, self._images)
        baseline.run(5)
        steps = max(5, round(seconds / self._timed(baseline.run, 1)))
        return profile_step(lambda: baseline.run(steps), self._device)

    def memory(self, cells: Sequence[Trial], baseline: str) -> int:
        """Peak bytes that training adds to Python, torch and the images; call it in a process of its own.

        A loop has one configuration in memory at a time, so it is measured with one.
        """
        cells = cells[:1] if baseline == "loop" else cells
        if self._device.type == "cuda":
            self._torch.cuda.reset_peak_memory_stats()
            before = self._torch.cuda.memory_allocated()
            self.prepare(cells, [baseline], 2**62)
            return int(self._torch.cuda.max_memory_allocated() - before)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
        before = _process_memory("VmRSS")
        self.prepare(cells, [baseline], 2**62)
        self._baselines[baseline].run(1)
        return _process_memory("VmHWM") - before

    def _rate(self, action: Callable[[], object], seconds: float) -> float:
        action()
        estimate = self._timed(action)
        n = max(1, round(seconds / estimate))
        return n / self._timed(lambda: [action() for _ in range(n)])

    def _timed(self, action: Callable[..., object], *arguments: Any) -> float:
        """Seconds of an action; waits for a CUDA device only at its ends."""
        self._wait()
        start = time.perf_counter()
        action(*arguments)
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()


class Processes:
    """Processes with a `Bench` each; calls go to all of them, or to the first alone."""

    def __init__(self, n: int, device: str, keep_memory: bool = True) -> None:
        context = multiprocessing.get_context("spawn")
        before = dict(os.environ)
        for name, value in ALLOCATOR.items():
            os.environ.pop(name, None)  # the file that imports Ray sets them, and kept memory hides a peak
            if keep_memory:
                os.environ[name] = value
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(n):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, device), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        os.environ.clear()
        os.environ.update(before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(None)
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.terminate()

    def __len__(self) -> int:
        return len(self._pipes)

    def all(self, action: str, *arguments: Any) -> list[Any]:
        """Results of an action in all processes, which work at the same time.

        Raises:
            ProcessError: the action failed in one of them.
        """
        return self._ask(self._pipes, action, arguments)

    def first(self, action: str, *arguments: Any) -> Any:
        """Result of an action in the first process, while the others wait."""
        return self._ask(self._pipes[:1], action, arguments)[0]

    def _ask(self, pipes: Sequence[Connection], action: str, arguments: Sequence[Any]) -> list[Any]:
        for pipe in pipes:
            pipe.send((action, arguments))
        try:
            replies = [pipe.recv() for pipe in pipes]
        except EOFError:
            raise ProcessError("a process ended without a result, perhaps for lack of memory") from None
        for failed, result in replies:
            if failed:
                raise ProcessError(result)
        return [result for _, result in replies]


def _serve(pipe: Connection, device: str) -> None:
    os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler's library would write to the terminal
    bench: Bench | None = None
    with suppress(EOFError, BrokenPipeError):  # the process that asked has ended
        while (message := pipe.recv()) is not None:
            action, arguments = message
            try:
                bench = bench or Bench(device)
                reply = (False, getattr(bench, action)(*arguments))
            except Exception:
                reply = (True, traceback.format_exc())
            pipe.send(reply)


def _process_memory(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{field}:"))
