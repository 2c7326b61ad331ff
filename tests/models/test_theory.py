"""Theorems 1 and 2 of Zhao et al. (2016, section 2.2) on five points, where every expectation is a finite sum.

Probabilities are multiples of 1/20: a batch of 20 points with the right repetitions is the distribution itself, so
the mean that the losses take over a batch is exact. The discriminator is free: one energy >= 0 a point.
"""

import itertools
from typing import NamedTuple

import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from models import losses

POINTS = 5
BATCH = 20


class Game(NamedTuple):
    """Counts, out of 20, of each point in the data and among the generated; their total variation distance."""

    data: tuple[int, ...]
    generated: tuple[int, ...]
    distance: float


GAMES = [
    Game((4, 4, 4, 4, 4), (4, 4, 4, 4, 4), 0.0),
    Game((8, 6, 4, 2, 0), (8, 6, 4, 2, 0), 0.0),
    Game((4, 4, 4, 4, 4), (8, 5, 4, 3, 0), 0.25),
    Game((8, 6, 4, 2, 0), (0, 2, 4, 6, 8), 0.6),
    Game((4, 4, 4, 4, 4), (20, 0, 0, 0, 0), 0.8),
    Game((10, 10, 0, 0, 0), (0, 0, 10, 5, 5), 1.0),
]
MARGINS = [0.5, 1.0, 10.0]


def _batch(counts: tuple[int, ...]) -> Tensor:
    return torch.arange(POINTS).repeat_interleave(torch.tensor(counts))


def _values(game: Game, margin: float, energies: Tensor) -> Tensor:
    """V of K discriminators given by their energies [5, K]."""
    margins = torch.full((energies.shape[1],), margin, dtype=energies.dtype)
    return losses.ebgan_d_loss(energies[_batch(game.data)], energies[_batch(game.generated)], margins)


def _corners(margin: float) -> Tensor:
    """All energies that are 0 or the margin at each point, [5, 32]; lemma 1: one of them is a best response."""
    return torch.tensor(list(itertools.product([0.0, margin], repeat=POINTS)), dtype=torch.float64).T


def _best_response(game: Game, margin: float) -> Tensor:
    """0 where data are at least as likely as generated points, the margin elsewhere (equation 7), [5]."""
    likelier = torch.tensor(game.generated) > torch.tensor(game.data)
    return torch.where(likelier, margin, 0.0).double()


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("game", GAMES)
def test_best_response_has_the_value_that_the_theorem_gives(game: Game, margin: float) -> None:
    theorem = margin * (1 - game.distance)
    value = _values(game, margin, _best_response(game, margin)[:, None]).item()
    assert value == pytest.approx(theorem, rel=1e-14, abs=1e-14)
    assert _values(game, margin, _corners(margin)).min().item() == pytest.approx(theorem, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("game", GAMES)
def test_no_discriminator_does_better(game: Game, margin: float) -> None:
    numbers = torch.Generator().manual_seed(0)
    energies = 2 * margin * torch.rand(POINTS, 5000, generator=numbers, dtype=torch.float64)
    around = _best_response(game, margin)[:, None] + 0.1 * margin * (energies - margin)
    tried = _values(game, margin, torch.cat([energies, around.clamp(min=0)], 1))
    assert tried.min().item() >= margin * (1 - game.distance) - 1e-12
    assert tried.max().item() > margin * (1 - game.distance) + 0.05 * margin


@pytest.mark.parametrize("game", GAMES)
def test_linear_program_agrees(game: Game) -> None:
    # min p.e + q.h over e >= 0, h >= 0, h >= m - e: the hinge of every point becomes a variable of its own.
    margin = 10.0
    costs = [c / BATCH for c in (*game.data, *game.generated)]
    rows = [[-1.0 if j % POINTS == i else 0.0 for j in range(2 * POINTS)] for i in range(POINTS)]
    solution = linprog(costs, A_ub=rows, b_ub=[-margin] * POINTS, bounds=(0, None))
    assert solution.fun == pytest.approx(margin * (1 - game.distance), abs=1e-9)
    energies = torch.tensor(solution.x[:POINTS])[:, None]
    assert _values(game, margin, energies).item() == pytest.approx(solution.fun, abs=1e-9)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("game", GAMES)
def test_descent_on_our_loss_finds_it(game: Game, margin: float) -> None:
    # Projected subgradient steps of shrinking length, from eight starts on both sides of the margin.
    numbers = torch.Generator().manual_seed(1)
    energies = 2 * margin * torch.rand(POINTS, 8, generator=numbers, dtype=torch.float64)
    best = torch.full((8,), torch.inf, dtype=torch.float64)
    for step in range(400):
        energies.requires_grad_()
        value = _values(game, margin, energies)
        best = torch.minimum(best, value.detach())
        (grad,) = torch.autograd.grad(value.sum(), energies)
        energies = (energies.detach() - 8 * margin / (step + 2) * grad).clamp(min=0)
    theorem = margin * (1 - game.distance)
    assert best.min() >= theorem - 1e-12
    assert best.max() <= theorem + 0.01 * margin
    unlikely = [i for i in range(POINTS) if game.generated[i] < game.data[i]]
    likely = [i for i in range(POINTS) if game.generated[i] > game.data[i] > 0]
    assert (energies[unlikely] == 0).all()
    assert ((energies[likely] - margin).abs() < 0.02 * margin).all()


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("counts", [(4, 4, 4, 4, 4), (8, 6, 4, 2, 0)])
def test_at_equilibrium_the_energy_is_any_constant_up_to_the_margin(counts: tuple[int, ...], margin: float) -> None:
    constants = margin * torch.tensor([0.0, 0.3, 0.99, 1.0, 1.01, 2.0], dtype=torch.float64)
    flat = constants.expand(POINTS, -1)
    values = _values(Game(counts, counts, 0.0), margin, flat)
    expected = [margin] * 4 + [1.01 * margin, 2 * margin]  # above the margin the discriminator only pays
    assert values.tolist() == pytest.approx(expected, rel=1e-14)
    # Against a flat energy no generator is better than another: neither side improves alone.
    generators = [_batch(c) for c in [counts, (20, 0, 0, 0, 0), (0, 2, 4, 6, 8)]]
    for batch in generators:
        assert losses.ebgan_g_loss(flat[batch]).tolist() == pytest.approx(constants.tolist(), rel=1e-14)


@pytest.mark.parametrize("game", [game for game in GAMES if game.distance > 0])
def test_away_from_the_data_a_generator_can_improve(game: Game) -> None:
    margin = 10.0
    energies = _best_response(game, margin)[:, None]
    now = losses.ebgan_g_loss(energies[_batch(game.generated)]).item()
    as_data = losses.ebgan_g_loss(energies[_batch(game.data)]).item()
    cheapest = losses.ebgan_g_loss(energies[energies[:, 0].argmin().repeat(BATCH)]).item()
    assert now - as_data == pytest.approx(margin * game.distance, rel=1e-12)  # what imitating the data would save
    assert cheapest == 0.0 < now
