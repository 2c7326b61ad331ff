"""A stratified sample of a grid: a few shapes that stand for all, every depth pair and every width pair among them."""

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces.space import expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.planning.cost import training_flops
from sweep.planning.costs import mnist_gan as cost

FAMILIES = ("mnist_gan", "mnist_ebgan", "mnist_ebgan_pt")
_STRIDE = 5  # through the depth pairs if fewer shapes are asked for than there are; it meets other depths each time
_PAIRINGS = 200  # seeded pairings tried; the one whose operations are nearest to the grid's is kept


@dataclass(frozen=True)
class Case:
    """One sampled shape.

    Attributes:
        kind: "gan", or "ebgan" for EBGAN and EBGAN-PT, which share their shapes.
        cells: the cells of this shape, those of a cohort.
        stands_for: how many cells of the grid this shape represents.
    """

    kind: str
    cells: tuple[Trial, ...]
    stands_for: float

    @property
    def name(self) -> str:
        first = self.cells[0].settings
        return f"{self.kind} {first.n_layer_g}x{first.size_g} {first.n_layer_d}x{first.size_d}"

    @property
    def member_steps(self) -> float:
        """Steps of all the cells that it stands for."""
        return self.stands_for * self.cells[0].training.steps


@dataclass(frozen=True)
class Sample:
    """Cases of a grid, and what the whole grid holds.

    Attributes:
        operations: of training every cell of the grid once, exact.
    """

    grid: str
    cases: tuple[Case, ...]
    n_cells: int
    operations: int

    @property
    def inflation(self) -> float:
        """Operations of the grid over those that the weighted sample implies; 1 for a balanced sample."""
        implied = sum(case.member_steps * cost.step_flops(case.cells[0]) for case in self.cases)
        return self.operations / implied


def draw_sample(grid: str, shapes: int) -> Sample:
    """Sample the GAN and EBGAN cohorts of a grid, "laptop" or "paper".

    Args:
        shapes: how many of the 16 pairings of a depth pair with a width pair; each gives a GAN and an EBGAN case.
    """
    cells = expand([load_space(f"{grid}/{family}") for family in FAMILIES])
    groups: dict[tuple[str, tuple[int, ...]], list[Trial]] = defaultdict(list)
    for cell in cells:
        kind = "gan" if cell.family == "gan" else "ebgan"
        groups[kind, cell.kind.shape_values(cell.settings)].append(cell)
    picked = _balanced_pairing(
        {shape: cost.step_flops(group[0]) for (kind, shape), group in groups.items() if kind == "gan"}
    )
    picked = [picked[i] for i in sorted(i * _STRIDE % len(picked) for i in range(min(shapes, len(picked))))]
    counts = {kind: sum(len(group) for (k, _), group in groups.items() if k == kind) for kind in ("gan", "ebgan")}
    cases = [Case(kind, tuple(groups[kind, shape]), counts[kind] / len(picked)) for kind in counts for shape in picked]
    return Sample(grid, tuple(cases), len(cells), sum(training_flops(cell) for cell in cells))


def subsample(cells: Sequence[Trial], most: int) -> tuple[Trial, ...]:
    """At most `most` of the cells, in their order, evenly over the values of their axes.

    Greedy: the next cell is the one whose values, and then pairs of values, were met least so far.
    """
    if most >= len(cells):
        return tuple(cells)
    values = zip(*((cell.family, *cell.kind.axis_values(cell.settings)) for cell in cells), strict=True)
    columns = [np.unique([str(value) for value in own], return_inverse=True)[1] for own in values]
    columns = [column for column in columns if column.max() > 0]
    pairs = [a * (b.max() + 1) + b for a, b in itertools.combinations(columns, 2)]
    weighted = [(column, 1.0) for column in columns] + [(pair, 1e-3) for pair in pairs]
    met = [np.zeros(codes.max() + 1) for codes, _ in weighted]
    burden = np.random.default_rng(0).random(len(cells)) * 1e-6  # breaks ties
    kept: list[int] = []
    for _ in range(most):
        total = burden + sum(weight * seen[codes] for (codes, weight), seen in zip(weighted, met, strict=True))
        total[kept] = np.inf
        kept.append(int(total.argmin()))
        for (codes, _), seen in zip(weighted, met, strict=True):
            seen[codes[kept[-1]]] += 1
    return tuple(cells[i] for i in sorted(kept))


def _balanced_pairing(operations: dict[tuple[int, ...], int]) -> list[tuple[int, ...]]:
    """Each depth pair with one width pair, each width pair once: of many random pairings the most typical one."""
    depths = sorted({shape[:2] for shape in operations})
    widths = sorted({shape[2:] for shape in operations})
    mean = sum(operations.values()) / len(operations)

    def pairing(seed: int) -> list[tuple[int, ...]]:
        shuffled = random.Random(seed).sample(widths, len(widths))
        return [(*depth, *width) for depth, width in zip(depths, shuffled, strict=True)]

    def imbalance(shapes: Sequence[tuple[int, ...]]) -> float:
        return abs(sum(operations[shape] for shape in shapes) / len(shapes) / mean - 1)

    return min((pairing(seed) for seed in range(_PAIRINGS)), key=imbalance)
