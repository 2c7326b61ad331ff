"""The baselines compute the same: number by number in float64 when they are given the same draws."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from seeded_draws import SeededDraws, made_images

from benchmarks.baselines.cohort import CohortBaseline
from benchmarks.baselines.loop import LoopBaseline
from benchmarks.baselines.vmap import VmapBaseline
from benchmarks.throughput.sample import draw_sample
from search_spaces.trial import Trial

STEPS = 4
SIZES = {"n_layer_g": 3, "n_layer_d": 3, "size_g": 7, "size_d": 6}


def tiny_cells(kind: str) -> list[Trial]:
    """All settings of a cohort of the laptop grid, on a tiny shape."""
    case = next(case for case in draw_sample("laptop", 1).cases if case.kind == kind)
    training = replace(case.cells[0].training, batch_size=5, z_dim=4)
    return [cell.changed(**SIZES, training=training) for cell in case.cells]


@pytest.mark.parametrize("kind", ["gan", "ebgan"])
def test_the_baselines_train_the_same(kind: str) -> None:
    cells, images = tiny_cells(kind), made_images()
    z = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loop = LoopBaseline(cells, images, [SeededDraws(cell, images) for cell in cells])
    vmap = VmapBaseline(cells, images, SeededDraws(cells[0], images))
    cohort = CohortBaseline(cells, images)
    before = cohort.generate(z)
    for baseline in (loop, vmap, cohort):
        baseline.run(STEPS)
    after = cohort.generate(z)
    assert after.shape == (9, len(cells), 1024)
    assert (after - before).abs().amax((0, 2)).min() > 1e-7  # every member has moved
    torch.testing.assert_close(loop.generate(z), after, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(vmap.generate(z), after, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", ["gan", "ebgan"])
def test_members_of_the_test_differ(kind: str) -> None:
    """Otherwise a baseline that mixed members up would pass."""
    cells, images = tiny_cells(kind), made_images()
    cohort = CohortBaseline(cells, images)
    cohort.run(STEPS)
    z = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = cohort.generate(z).transpose(0, 1).flatten(1)
    distances = torch.cdist(made, made) + torch.eye(len(made)) * 9
    assert distances.min() > 1e-9


@pytest.mark.parametrize("kind", ["gan", "ebgan"])
def test_random_draws_train_too(kind: str) -> None:
    cells, images = tiny_cells(kind)[:3], made_images()
    for baseline in (LoopBaseline(cells, images), VmapBaseline(cells, images)):
        baseline.run(12)  # more than an epoch
        assert baseline.generate(torch.randn(9, 4, dtype=torch.float64)).isfinite().all()


@pytest.mark.parametrize("baseline", [LoopBaseline, VmapBaseline, CohortBaseline])
def test_a_baseline_frees_its_memory_as_soon_as_nobody_refers_to_it(baseline: type) -> None:
    """Memory that waits for Python's collector piles up: the system once ended a benchmark of many shapes."""
    gc.disable()
    try:
        trained = baseline(tiny_cells("ebgan"), made_images())
        trained.run(1)
        gone = weakref.ref(trained)
        del trained
        assert gone() is None
    finally:
        gc.enable()
