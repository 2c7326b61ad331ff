"""What is measured beside speed, of the cases that stand for the others: memory, scoring, and where the time goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.throughput.processes import Lanes
from benchmarks.throughput.sample import thin
from benchmarks.throughput.side_by_side import CaseRates
from sweep.planning.costs import mnist_gan as cost

_SCORED_MEMBERS = 2
_PROFILED_SECONDS = 0.5


@dataclass(frozen=True)
class Details:
    """Fields of `benchmarks.throughput.results.GridFinding`, which explains them."""

    memory: dict[str, int]
    memory_case: str
    scoring: dict[str, float]
    stages: dict[str, dict[str, float]]


def measure_details(
    lanes: Lanes, cases: Sequence[CaseRates], ways: Sequence[str], device: str, scoring: bool
) -> Details:
    """Details of the measured cases of a grid.

    Args:
        ways: those whose memory is measured.
        scoring: whether scoring is measured.
    """
    largest = max(cases, key=lambda rates: len(rates.measured) * cost.member_bytes(rates.measured[0]))
    cohort = "cohort" in ways
    return Details(
        memory=_memory(largest, ways, device),
        memory_case=f"{largest.case.name}, {len(largest.measured)} members",
        scoring=_scoring(lanes, cases) if scoring and cohort else {},
        stages=_stages(lanes, cases) if cohort else {},
    )


def _memory(largest: CaseRates, ways: Sequence[str], device: str) -> dict[str, int]:
    """Peak memory of every way, each in a process of its own; `loops` is a loop in each core."""
    peaks = {}
    for way in ways:
        if way != "loops":
            with Lanes(1, device, keep_memory=False) as lane:
                peaks[way] = lane.first("memory", largest.measured, way)
    return peaks


def _typical(cases: Sequence[CaseRates]) -> list[CaseRates]:
    """The cheapest, the middle and the dearest case."""
    by_cost = sorted(cases, key=lambda rates: cost.step_flops(rates.measured[0]))
    picked = (by_cost[0], by_cost[len(by_cost) // 2], by_cost[-1])
    return list({rates.case.name: rates for rates in picked}.values())


def _scoring(lanes: Lanes, cases: Sequence[CaseRates]) -> dict[str, float]:
    """Scoring a member over training it; all lanes score at once."""
    shares = {}
    for rates in _typical(cases):
        cells = thin(rates.measured, _SCORED_MEMBERS)
        each = lanes.all("score", cells)
        scoring = sum(each) / len(each) / len(each)
        shares[rates.case.name] = scoring * max(rates.rates["cohort"]) / cells[0].training.steps
    return shares


def _stages(lanes: Lanes, cases: Sequence[CaseRates]) -> dict[str, dict[str, float]]:
    """Where the time of a step goes, for typical cases of each kind."""
    kinds = ([rates for rates in cases if rates.case.kind == kind] for kind in ("gan", "ebgan"))
    return {
        rates.case.name: lanes.first("stages", rates.measured, _PROFILED_SECONDS)
        for of_kind in kinds
        if of_kind
        for rates in _typical(of_kind)
    }
