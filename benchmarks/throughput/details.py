"""Measurements other than speed, on typical cases: memory, scoring, and a profile of a step."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.throughput.processes import Processes
from benchmarks.throughput.sample import subsample
from benchmarks.throughput.side_by_side import CaseRates
from sweep.planning.costs import mnist_gan as cost

_SCORED_MEMBERS = 2
_PROFILED_SECONDS = 0.5


@dataclass(frozen=True)
class Details:
    """Fields of `benchmarks.throughput.results.GridResult`, which explains them."""

    memory: dict[str, int]
    memory_case: str
    scoring: dict[str, float]
    profile: dict[str, dict[str, float]]


def measure_details(
    processes: Processes, cases: Sequence[CaseRates], baselines: Sequence[str], device: str, scoring: bool
) -> Details:
    """Details of the measured cases of a grid.

    Args:
        baselines: those whose memory is measured.
        scoring: whether scoring is measured.
    """
    largest = max(cases, key=lambda rates: len(rates.measured) * cost.member_bytes(rates.measured[0]))
    cohort = "cohort" in baselines
    return Details(
        memory=_memory(largest, baselines, device),
        memory_case=f"{largest.case.name}, {len(largest.measured)} members",
        scoring=_scoring(processes, cases) if scoring and cohort else {},
        profile=_profile(processes, cases) if cohort else {},
    )


def _memory(largest: CaseRates, baselines: Sequence[str], device: str) -> dict[str, int]:
    """Peak memory of every baseline, each in a process of its own; `loops` is a loop in each core."""
    peaks = {}
    for baseline in baselines:
        if baseline != "loops":
            with Processes(1, device, keep_memory=False) as process:
                peaks[baseline] = process.first("memory", largest.measured, baseline)
    return peaks


def _typical(cases: Sequence[CaseRates]) -> list[CaseRates]:
    """The cheapest, the middle and the most expensive case."""
    by_cost = sorted(cases, key=lambda rates: cost.step_flops(rates.measured[0]))
    picked = (by_cost[0], by_cost[len(by_cost) // 2], by_cost[-1])
    return list({rates.case.name: rates for rates in picked}.values())


def _scoring(processes: Processes, cases: Sequence[CaseRates]) -> dict[str, float]:
    """Scoring a member over training it; all processes score at once."""
    shares = {}
    for rates in _typical(cases):
        cells = subsample(rates.measured, _SCORED_MEMBERS)
        each = processes.all("score", cells)
        scoring = sum(each) / len(each) / len(each)
        shares[rates.case.name] = scoring * max(rates.rates["cohort"]) / cells[0].training.steps
    return shares


def _profile(processes: Processes, cases: Sequence[CaseRates]) -> dict[str, dict[str, float]]:
    """Profile of a step, for typical cases of each kind."""
    kinds = ([rates for rates in cases if rates.case.kind == kind] for kind in ("gan", "ebgan"))
    return {
        rates.case.name: processes.first("profile", rates.measured, _PROFILED_SECONDS)
        for of_kind in kinds
        if of_kind
        for rates in _typical(of_kind)
    }
