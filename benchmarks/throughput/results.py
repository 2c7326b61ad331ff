"""Results of a run of the benchmark in plain values, and the totals and ratios that follow from them."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class CaseResult:
    """One sampled shape.

    Attributes:
        members: cells of the case, and how many of them were trained.
        member_steps: of all cells of the grid that it stands for.
        rates: member-steps per second of the machine, by baseline, one for each repeat.
        lower_bound, lower_bound_main_memory: on the seconds of a member-step, see `benchmarks.throughput.roofline`.
    """

    name: str
    members: int
    measured: int
    stands_for: float
    member_steps: float
    layouts: dict[str, str]
    rates: dict[str, list[float]]
    lower_bound: float
    lower_bound_main_memory: float


@dataclass(frozen=True)
class GridResult:
    """One grid.

    Attributes:
        inflation: exact operations of the grid over those that the sample implies; totals are multiplied by it.
        tune_overhead: seconds that Ray Tune adds to a trial, one for each repeat; part of the totals of `tune`.
        tune_concurrent: Ray Tune trials at once.
        memory: bytes that the largest case adds to a process, by baseline.
        memory_case: name of that case.
        scoring: seconds of scoring a member over those of training it, by case.
        profile: fraction of each part in the time of a step of the cohort, by case.
    """

    grid: str
    n_cells: int
    inflation: float
    cases: list[CaseResult]
    tune_overhead: list[float]
    tune_concurrent: int
    memory: dict[str, int]
    memory_case: str
    scoring: dict[str, float]
    profile: dict[str, dict[str, float]]

    @property
    def baselines(self) -> list[str]:
        return list(self.cases[0].rates)

    def hours(self, baseline: str) -> list[float]:
        """Hours that the whole grid takes, one for each repeat."""
        repeats = len(self.cases[0].rates[baseline])
        return [self.inflation * self._seconds(baseline, r) / 3600 for r in range(repeats)]

    def rate(self, baseline: str) -> float:
        """Member-steps per second over the whole grid."""
        return self.member_steps / (statistics.median(self.hours(baseline)) * 3600)

    @property
    def member_steps(self) -> float:
        return sum(case.member_steps for case in self.cases)

    def lower_bound_hours(self, main_memory: bool = False) -> float:
        """Lower bound on the hours of the whole grid."""
        bounds = (c.member_steps * (c.lower_bound_main_memory if main_memory else c.lower_bound) for c in self.cases)
        return self.inflation * sum(bounds) / 3600

    def roofline_fraction(self, baseline: str, main_memory: bool = False) -> float:
        """Lower bound over the measured hours; 1 is as fast as the machine can be."""
        return self.lower_bound_hours(main_memory) / statistics.median(self.hours(baseline))

    def ratio(self, baseline: str) -> list[float]:
        """How many times faster the cohort is than a baseline, one for each repeat."""
        pairs = zip(self.hours(baseline), self.hours("cohort"), strict=False)
        return [other / cohort for other, cohort in pairs]

    def _seconds(self, baseline: str, repeat: int) -> float:
        training = sum(case.member_steps / case.rates[baseline][repeat] for case in self.cases)
        if baseline != "tune":
            return training
        return training + self.n_cells / self.inflation * self.tune_overhead[repeat] / self.tune_concurrent


@dataclass(frozen=True)
class SweepResult:
    """A whole small sweep and its report.

    Attributes:
        training: seconds that its training takes alone, measured without Ray.
        run: wall seconds of `python -m sweep run`. report: of `python -m reports`.
    """

    trials: int
    training: float
    run: float
    report: float

    @property
    def ratio(self) -> float:
        return (self.run + self.report) / self.training


@dataclass(frozen=True)
class BenchmarkResults:
    """All results of a run."""

    device: str
    processes: int
    environment: dict[str, Any]
    settings: dict[str, Any]
    flops: float
    bandwidth: dict[str, float]
    grids: list[GridResult]
    sweep: SweepResult | None

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self) | {"derived": self.derived()}, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        values = json.loads(path.read_text(encoding="utf-8"))
        values.pop("derived")
        grids = [
            GridResult(**grid | {"cases": [CaseResult(**case) for case in grid["cases"]]})
            for grid in values.pop("grids")
        ]
        sweep = values.pop("sweep")
        return cls(**values, grids=grids, sweep=sweep and SweepResult(**sweep))

    def derived(self) -> dict[str, Any]:
        """Totals and ratios for those who read the file without this code."""
        return {
            grid.grid: {
                baseline: {
                    "hours": grid.hours(baseline),
                    "member_steps_per_s": grid.rate(baseline),
                    "roofline_fraction": grid.roofline_fraction(baseline),
                    "main_memory_roofline_fraction": grid.roofline_fraction(baseline, main_memory=True),
                    "cohort_is_faster": grid.ratio(baseline) if "cohort" in grid.baselines else None,
                }
                for baseline in grid.baselines
            }
            for grid in self.grids
        }


@dataclass(frozen=True)
class Verdict:
    """A target and what was reached; `met` is None if it was not measured."""

    what: str
    target: str
    reached: str
    met: bool | None


_RATIOS: Mapping[tuple[str, bool], dict[str, float]] = {
    ("laptop", False): {"loop": 3, "tune": 5, "vmap": 1.5},
    ("paper", False): {"loop": 1.2},
    ("paper", True): {"loop": 20, "tune": 5},
}
_FRACTIONS: Mapping[tuple[str, bool], float] = {("laptop", False): 0.5, ("paper", False): 0.7, ("paper", True): 0.5}


def verdicts(results: BenchmarkResults) -> list[Verdict]:
    """Every target that exists for this kind of device, met or not."""
    gpu = bool(results.settings.get("device") == "cuda")
    found: list[Verdict] = []
    for grid in results.grids:
        found += _grid_verdicts(grid, gpu)
    if results.sweep:
        found.append(_at_most("time of a whole small sweep relative to its training alone", 1.10, results.sweep.ratio))
    return found


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range, as text."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _grid_verdicts(grid: GridResult, gpu: bool) -> list[Verdict]:
    found: list[Verdict] = []
    if "cohort" not in grid.baselines:
        return found
    for baseline, target in _RATIOS.get((grid.grid, gpu), {}).items():
        name = f"{grid.grid}: speed of cohort relative to {baseline}"
        if baseline in grid.baselines:
            ratio = grid.ratio(baseline)
            found.append(Verdict(name, f"at least {target:g}", spread(ratio), statistics.median(ratio) >= target))
        else:
            found.append(Verdict(name, f"at least {target:g}", "not measured", None))
    if (least := _FRACTIONS.get((grid.grid, gpu))) is not None:
        reached = grid.roofline_fraction("cohort")
        name = f"{grid.grid}: cohort's fraction of the roofline"
        found.append(Verdict(name, f"at least {least:.0%}", f"{reached:.0%}", reached >= least))
    if gpu and grid.grid == "paper":
        found.append(_at_most("paper: hours of the whole grid", 1.0, statistics.median(grid.hours("cohort"))))
    found += [
        _at_most(f"{grid.grid}: time of scoring relative to training, {name}", 0.05, v, 3)
        for name, v in grid.scoring.items()
    ]
    return found


def _at_most(what: str, target: float, reached: float, digits: int = 2) -> Verdict:
    return Verdict(what, f"at most {target:.2f}", f"{reached:.{digits}f}", reached <= target)
