"""What a run of the benchmark found, in plain values, and the totals and ratios that follow from it."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class CaseFinding:
    """One sampled shape.

    Attributes:
        members: cells of the case, and how many of them were trained.
        member_steps: of all cells of the grid that it stands for.
        rates: member-steps per second of the machine, by way, one a repeat.
        floor, floor_main_memory: least seconds of a member-step, see `benchmarks.throughput.roofline`.
    """

    name: str
    members: int
    measured: int
    stands_for: float
    member_steps: float
    layouts: dict[str, str]
    rates: dict[str, list[float]]
    floor: float
    floor_main_memory: float


@dataclass(frozen=True)
class GridFinding:
    """One grid.

    Attributes:
        inflation: exact operations of the grid over those that the sample implies; totals are multiplied by it.
        tune_overhead: seconds that Ray Tune adds to a trial, one a repeat; part of the totals of `tune`.
        tune_concurrent: Ray Tune trials at once.
        memory: bytes that the largest case adds to a process, by way.
        memory_case: name of that case.
        scoring: seconds of scoring a member over those of training it, by case.
        stages: where the time of a step of the cohort goes, shares of stages by case.
    """

    grid: str
    n_cells: int
    inflation: float
    cases: list[CaseFinding]
    tune_overhead: list[float]
    tune_concurrent: int
    memory: dict[str, int]
    memory_case: str
    scoring: dict[str, float]
    stages: dict[str, dict[str, float]]

    @property
    def ways(self) -> list[str]:
        return list(self.cases[0].rates)

    def hours(self, way: str) -> list[float]:
        """Hours that the whole grid takes, one a repeat."""
        repeats = len(self.cases[0].rates[way])
        return [self.inflation * self._seconds(way, r) / 3600 for r in range(repeats)]

    def rate(self, way: str) -> float:
        """Member-steps per second over the whole grid."""
        return self.member_steps / (statistics.median(self.hours(way)) * 3600)

    @property
    def member_steps(self) -> float:
        return sum(case.member_steps for case in self.cases)

    def floor_hours(self, main_memory: bool = False) -> float:
        """Least hours of the whole grid."""
        floors = (c.member_steps * (c.floor_main_memory if main_memory else c.floor) for c in self.cases)
        return self.inflation * sum(floors) / 3600

    def share(self, way: str, main_memory: bool = False) -> float:
        """Share of the machine's limit."""
        return self.floor_hours(main_memory) / statistics.median(self.hours(way))

    def ratio(self, way: str) -> list[float]:
        """How many times faster the cohort is than a way, one a repeat."""
        pairs = zip(self.hours(way), self.hours("cohort"), strict=False)
        return [other / cohort for other, cohort in pairs]

    def _seconds(self, way: str, repeat: int) -> float:
        training = sum(case.member_steps / case.rates[way][repeat] for case in self.cases)
        if way != "tune":
            return training
        return training + self.n_cells / self.inflation * self.tune_overhead[repeat] / self.tune_concurrent


@dataclass(frozen=True)
class SweepFinding:
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
class Findings:
    """All of a run."""

    device: str
    lanes: int
    environment: dict[str, Any]
    settings: dict[str, Any]
    flops: float
    bandwidth: dict[str, float]
    grids: list[GridFinding]
    sweep: SweepFinding | None

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self) | {"derived": self.derived()}, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        values = json.loads(path.read_text(encoding="utf-8"))
        values.pop("derived")
        grids = [
            GridFinding(**grid | {"cases": [CaseFinding(**case) for case in grid["cases"]]})
            for grid in values.pop("grids")
        ]
        sweep = values.pop("sweep")
        return cls(**values, grids=grids, sweep=sweep and SweepFinding(**sweep))

    def derived(self) -> dict[str, Any]:
        """Totals and ratios for those who read the file without this code."""
        return {
            grid.grid: {
                way: {
                    "hours": grid.hours(way),
                    "member_steps_per_s": grid.rate(way),
                    "share_of_limit": grid.share(way),
                    "share_of_main_memory_limit": grid.share(way, main_memory=True),
                    "cohort_is_faster": grid.ratio(way) if "cohort" in grid.ways else None,
                }
                for way in grid.ways
            }
            for grid in self.grids
        }


@dataclass(frozen=True)
class Verdict:
    """A target beside what was reached; None where it was not measured."""

    what: str
    target: str
    reached: str
    met: bool | None


_RATIOS: Mapping[tuple[str, bool], dict[str, float]] = {
    ("laptop", False): {"loop": 3, "tune": 5, "vmap": 1.5},
    ("paper", False): {"loop": 1.2},
    ("paper", True): {"loop": 20, "tune": 5},
}
_SHARES: Mapping[tuple[str, bool], float] = {("laptop", False): 0.5, ("paper", False): 0.7, ("paper", True): 0.5}


def verdicts(findings: Findings) -> list[Verdict]:
    """Every target that exists for this kind of device, met or not."""
    gpu = bool(findings.settings.get("device") == "cuda")
    found: list[Verdict] = []
    for grid in findings.grids:
        found += _grid_verdicts(grid, gpu)
    if findings.sweep:
        found.append(_at_most("whole small sweep over its training alone", 1.10, findings.sweep.ratio))
    return found


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range, as text."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _grid_verdicts(grid: GridFinding, gpu: bool) -> list[Verdict]:
    found: list[Verdict] = []
    if "cohort" not in grid.ways:
        return found
    for way, target in _RATIOS.get((grid.grid, gpu), {}).items():
        name = f"{grid.grid}: cohort over {way}"
        if way in grid.ways:
            ratio = grid.ratio(way)
            found.append(Verdict(name, f"at least {target:g}", spread(ratio), statistics.median(ratio) >= target))
        else:
            found.append(Verdict(name, f"at least {target:g}", "not measured", None))
    if (share := _SHARES.get((grid.grid, gpu))) is not None:
        reached = grid.share("cohort")
        name = f"{grid.grid}: cohort's share of the limit"
        found.append(Verdict(name, f"at least {share:.0%}", f"{reached:.0%}", reached >= share))
    if gpu and grid.grid == "paper":
        found.append(_at_most("paper: hours of the whole grid", 1.0, statistics.median(grid.hours("cohort"))))
    found += [_at_most(f"{grid.grid}: scoring over training, {name}", 0.05, v, 3) for name, v in grid.scoring.items()]
    return found


def _at_most(what: str, target: float, reached: float, digits: int = 2) -> Verdict:
    return Verdict(what, f"at most {target:.2f}", f"{reached:.{digits}f}", reached <= target)
