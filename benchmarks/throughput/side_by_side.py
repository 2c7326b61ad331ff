"""Interleaved measurements of the ways on every case of a sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.throughput.processes import Lanes
from benchmarks.throughput.sample import Case, Sample, thin
from search_spaces.trial import Trial
from sweep.planning.costs import mnist_gan as cost

WAYS = ("loop", "loops", "vmap", "cohort")  # in lanes; Ray Tune brings processes of its own
Layout = Literal["alone", "processes", "threads"]  # one process of one thread, one a core, one with a thread a core
_FEWEST = 2  # members of a thinned cohort
_BYTES_PER_WEIGHT = 24  # weights, gradients, moments and copies of them under way


@dataclass(frozen=True)
class CaseRates:
    """What was measured of one case.

    Attributes:
        measured: the cells that were trained, all of the case or a thinned part.
        layouts: of each way, how the cores were used: what was better in the first repeat.
        rates: member-steps per second of the whole machine, by way, one a repeat.
    """

    case: Case
    measured: tuple[Trial, ...]
    layouts: dict[str, Layout]
    rates: dict[str, list[float]]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: of one measurement; a cohort is thinned until about one step of it fits, two members at least.
        flops: operations per second of one lane, from the measured limit.
        memory: bytes that a lane may take.
    """

    seconds: float
    repeats: int
    flops: float
    memory: int


def measure_sample(
    lanes: Lanes, sample: Sample, ways: Sequence[str], effort: Effort, tell: Callable[[CaseRates], None]
) -> list[CaseRates]:
    """Measure every case; `tell` hears of each when it is done."""
    measured = []
    for case in sample.cases:
        measured.append(_measure_case(lanes, case, ways, effort))
        tell(measured[-1])
    return measured


def affordable(case: Case, effort: Effort) -> tuple[Trial, ...]:
    """The cells of a case that are trained: all where a step of them is short and all ways fit into memory at once."""
    first = case.cells[0]
    by_time = effort.seconds * effort.flops / cost.step_flops(first)
    weights = cost.weights(cost.generator_widths(first)) + cost.weights(cost.discriminator_widths(first))
    by_memory = effort.memory / (len(WAYS) * _BYTES_PER_WEIGHT * weights)
    return thin(case.cells, max(_FEWEST, int(min(by_time, by_memory))))


def _measure_case(lanes: Lanes, case: Case, ways: Sequence[str], effort: Effort) -> CaseRates:
    cells = affordable(case, effort)
    lanes.all("prepare", cells, ways, effort.memory)
    layouts = {way: _layouts(way, len(lanes))[0] for way in ways}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(effort.repeats):
        for way in _rotated(ways, repeat):
            if repeat == 0:
                tried = {layout: _rate(lanes, way, layout, effort.seconds) for layout in _layouts(way, len(lanes))}
                layouts[way] = max(tried, key=lambda layout: tried[layout])
                rates[way].append(tried[layouts[way]])
            else:
                rates[way].append(_rate(lanes, way, layouts[way], effort.seconds))
    return CaseRates(case, cells, layouts, rates)


def _layouts(way: str, lanes: int) -> tuple[Layout, ...]:
    """How a way may use the cores: `loop` trains one configuration at a time, `loops` one in every core."""
    if lanes == 1:
        return ("alone",)
    if way == "loops":
        return ("processes",)
    return ("alone", "threads") if way == "loop" else ("processes", "threads")


def _rate(lanes: Lanes, way: str, layout: Layout, seconds: float) -> float:
    if layout != "processes":
        rate: float = lanes.first("measure", way, len(lanes) if layout == "threads" else 1, seconds)
        return rate
    return sum(lanes.all("measure", way, 1, seconds))


def _rotated(ways: Sequence[str], by: int) -> list[str]:
    by %= len(ways)
    return [*ways[by:], *ways[:by]]
