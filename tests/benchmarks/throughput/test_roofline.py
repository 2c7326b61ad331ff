"""The least bytes and time of a step, by hand on a tiny network."""

from dataclasses import replace

import pytest

from benchmarks.throughput.roofline import Roofline, lower_bound_seconds, main_memory_seconds, step_bytes, touched_bytes
from benchmarks.throughput.sample import draw_sample
from search_spaces.space import expand
from search_spaces.space_file import load_space
from search_spaces.trial import Trial
from sweep.planning.costs import mnist_gan as cost

ROOFLINE = Roofline(flops=1e9, bandwidth={1000: 4e9, 10**6: 8e9, 10**9: 2e9})


def tiny(**changes: object) -> Trial:
    first = draw_sample("laptop", 1).cases[0].cells[0]
    training = replace(first.training, batch_size=8, z_dim=3)
    sizes = {"n_layer_g": 2, "n_layer_d": 2, "size_g": 5, "size_d": 7, "optim_g": "adam", "optim_d": "sgd"}
    return first.changed(training=training, **sizes | changes)


def test_bytes_of_a_tiny_gan_by_hand() -> None:
    # Generator 3 -> 5 -> 1024 with Adam, discriminator 1024 -> 7 -> 1 with SGD, 8 images.
    g1, g2, d1, d2 = 3 * 5, 5 * 1024, 1024 * 7, 7 * 1
    reads = (g1 + g2) + (g1 + g2) + g2  # generator: forward, forward, back to its first layer
    reads += (d1 + d2) + d2 + (d1 + d2) + (d2 + d1)  # discriminator: own forward and back, then for the generator
    updates = (2 + 2 + 4) * (g1 + g2) + (2 + 2) * (d1 + d2)
    images = 8 * 1024
    generated = 8 * (5 + 1024)
    judged = 8 * (7 + 1)
    activations = images + 2 * generated + 5 * generated + 5 * 2 * judged + 5 * judged
    assert step_bytes(tiny()) == 4 * (reads + updates + activations)


def test_sgd_needs_no_moments() -> None:
    weights = 3 * 5 + 5 * 1024
    assert step_bytes(tiny()) - step_bytes(tiny(optim_g="sgd")) == 4 * 4 * weights
    assert touched_bytes(tiny()) - touched_bytes(tiny(optim_g="sgd")) == 4 * 2 * weights


def test_the_slower_of_both_bounds_counts() -> None:
    cell = tiny()
    operations, moved = cost.step_flops(cell), step_bytes(cell)
    assert lower_bound_seconds(cell, ROOFLINE) == max(operations / 1e9, moved / 8e9) == operations / 1e9
    fast = replace(ROOFLINE, flops=1e15)
    assert lower_bound_seconds(cell, fast) == moved / 8e9
    assert main_memory_seconds(cell, fast) == moved / 2e9


@pytest.mark.parametrize(("touched", "rate"), [(1, 8e9), (1000, 8e9), (10**6, 8e9), (10**9 - 1, 8e9), (10**10, 2e9)])
def test_a_small_step_lives_in_the_cache(touched: int, rate: float) -> None:
    assert ROOFLINE.bandwidth_of(touched) == rate


def test_bytes_of_the_paper_grids_take_two_hours_and_a_half_of_a_large_gpu() -> None:
    cells = expand([load_space(f"paper/mnist_{family}") for family in ("gan", "ebgan", "ebgan_pt")])
    minutes = sum(step_bytes(cell) * cell.training.steps for cell in cells) / 3e12 / 60
    assert 125 < minutes < 175
