"""Interleaved measurements of the baselines on every case of a sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.throughput.processes import Processes
from benchmarks.throughput.sample import Case, Sample, subsample
from search_spaces.trial import Trial
from sweep.planning.costs import mnist_gan as cost

BASELINES = ("loop", "loops", "vmap", "cohort")  # in our processes; Ray Tune, another one, starts its own
# One process with one thread; a process on each core; one process with a thread on each core.
Layout = Literal["alone", "processes", "threads"]
_FEWEST = 2  # members of a subsampled cohort
_BYTES_PER_WEIGHT = 24  # weights, gradients, moments and temporary copies of them


@dataclass(frozen=True)
class CaseRates:
    """What was measured of one case.

    Attributes:
        measured: the cells that were trained, all of the case or a subsample.
        layouts: how each baseline used the cores: the better layout in the first repeat.
        rates: member-steps per second of the whole machine, by baseline, one for each repeat.
    """

    case: Case
    measured: tuple[Trial, ...]
    layouts: dict[str, Layout]
    rates: dict[str, list[float]]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: of one measurement; a cohort is subsampled until about one step of it fits, two members at least.
        flops: operations per second of one process, from the measured roofline.
        memory: bytes that a process may take.
    """

    seconds: float
    repeats: int
    flops: float
    memory: int


def measure_sample(
    processes: Processes, sample: Sample, baselines: Sequence[str], effort: Effort, report: Callable[[CaseRates], None]
) -> list[CaseRates]:
    """Measure every case; `report` is called after each."""
    measured = []
    for case in sample.cases:
        measured.append(_measure_case(processes, case, baselines, effort))
        report(measured[-1])
    return measured


def affordable(case: Case, effort: Effort) -> tuple[Trial, ...]:
    """The cells of a case that are trained: all if their step is short and all baselines fit into memory at once."""
    first = case.cells[0]
    by_time = effort.seconds * effort.flops / cost.step_flops(first)
    weights = cost.weights(cost.generator_widths(first)) + cost.weights(cost.discriminator_widths(first))
    by_memory = effort.memory / (len(BASELINES) * _BYTES_PER_WEIGHT * weights)
    return subsample(case.cells, max(_FEWEST, int(min(by_time, by_memory))))


def _measure_case(processes: Processes, case: Case, baselines: Sequence[str], effort: Effort) -> CaseRates:
    cells = affordable(case, effort)
    processes.all("prepare", cells, baselines, effort.memory)
    layouts = {baseline: _layouts(baseline, len(processes))[0] for baseline in baselines}
    rates: dict[str, list[float]] = {baseline: [] for baseline in baselines}
    for repeat in range(effort.repeats):
        for baseline in _rotated(baselines, repeat):
            if repeat == 0:
                tried = {
                    layout: _rate(processes, baseline, layout, effort.seconds)
                    for layout in _layouts(baseline, len(processes))
                }
                layouts[baseline] = max(tried, key=lambda layout: tried[layout])
                rates[baseline].append(tried[layouts[baseline]])
            else:
                rates[baseline].append(_rate(processes, baseline, layouts[baseline], effort.seconds))
    return CaseRates(case, cells, layouts, rates)


def _layouts(baseline: str, processes: int) -> tuple[Layout, ...]:
    """How a baseline may use the cores: `loop` trains one configuration at a time, `loops` one in every core."""
    if processes == 1:
        return ("alone",)
    if baseline == "loops":
        return ("processes",)
    return ("alone", "threads") if baseline == "loop" else ("processes", "threads")


def _rate(processes: Processes, baseline: str, layout: Layout, seconds: float) -> float:
    if layout != "processes":
        rate: float = processes.first("measure", baseline, len(processes) if layout == "threads" else 1, seconds)
        return rate
    return sum(processes.all("measure", baseline, 1, seconds))


def _rotated(baselines: Sequence[str], by: int) -> list[str]:
    by %= len(baselines)
    return [*baselines[by:], *baselines[:by]]
