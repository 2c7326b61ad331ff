"""Costs, counted by hand on a tiny network and by torch on a real training step."""

import pytest
import torch
from made_trials import trial
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.space import expand, load_space
from search_spaces.trial import Trial
from sweep import cost
from sweep.cohorts import Cohort
from sweep.worker import new_training

TINY = {"size_g": 5, "size_d": 7, "z_dim": 3}


def test_operations_of_a_tiny_gan_by_hand() -> None:
    # Generator 3 -> 5 -> 1024, discriminator 1024 -> 7 -> 1, 8 images; a product of w weights costs 2 w an image.
    g1, g2, d1, d2 = 3 * 5, 5 * 1024, 1024 * 7, 7 * 1
    for_discriminator = g1 + g2  # generated images, no gradient
    for_discriminator += 2 * (d1 + d2)  # forward, real and generated
    for_discriminator += 2 * (d1 + d2 + d2)  # gradients of both weights; the second layer's input
    for_generator = g1 + g2 + d1 + d2  # forward
    for_generator += d2 + d1  # through the discriminator, weights left alone
    for_generator += g1 + g2 + g2  # gradients of both weights; the second layer's input
    assert cost.step_flops(trial(**TINY)) == 2 * 8 * (for_discriminator + for_generator)


def test_operations_of_an_auto_encoder_grow_by_its_wider_output() -> None:
    extra = 7 * 1024 - 7 * 1  # the last layer has 1024 outputs in place of 1
    products = 2 + 2 * 2 + 1 + 1  # forward twice, both gradients twice, then forward and back once
    by = cost.step_flops(trial(family="ebgan", **TINY)) - cost.step_flops(trial(**TINY))
    assert by == 2 * 8 * products * extra


@pytest.mark.parametrize("family", ["gan", "ebgan"])
@pytest.mark.parametrize(("n_layer_g", "n_layer_d"), [(2, 2), (3, 2), (2, 4)])
def test_operations_are_those_that_torch_counts(family: str, n_layer_g: int, n_layer_d: int) -> None:
    members = tuple(trial(family=family, n_layer_g=n_layer_g, n_layer_d=n_layer_d, seed=s, **TINY) for s in range(3))
    training = new_training(Cohort(members), torch.rand(20, cost.PIXELS) * 2 - 1)
    with FlopCounterMode(display=False) as counter:
        training.step()
    assert counter.get_total_flops() == 3 * cost.step_flops(members[0])


def test_a_training_costs_its_steps() -> None:
    assert cost.training_flops(trial(steps=40)) == 40 * cost.step_flops(trial())


@pytest.mark.parametrize("name", ["paper/mnist_gan", "paper/mnist_ebgan"])
def test_memory_holds_weights_moments_and_gradients(name: str) -> None:
    def weights(t: Trial) -> tuple[int, int]:
        hidden_g, hidden_d = (t.n_layer_g - 2) * t.size_g**2, (t.n_layer_d - 2) * t.size_d**2
        out = 1 if t.family == "gan" else 1024
        return (100 + 1024) * t.size_g + hidden_g, (1024 + out) * t.size_d + hidden_d

    for t in expand([load_space(name)])[::50]:
        g, d = weights(t)
        state = 4 * (3 * (g + d) + max(g, d))
        assert state < cost.member_bytes(t) < state + 4 * 128 * 40 * (t.size_g + t.size_d + 1024)


def test_disk_grows_with_the_trials() -> None:
    assert cost.disk_bytes(0) == 0
    assert 10e6 < cost.disk_bytes(7168) < 1e9
    assert cost.disk_bytes(2000) == 2 * cost.disk_bytes(1000)
