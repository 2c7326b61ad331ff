"""Costs, counted by hand on a tiny network and by torch on a real training step."""

import gc
from typing import Any

import pytest
import torch
from made_trials import trial
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort
from sweep.planning.cost import training_flops
from sweep.planning.costs import mnist_gan as cost
from sweep.worker.recipes.mnist_gan import new_training

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


@pytest.mark.parametrize("own", [{}, {"norm_d": "joint"}, {"family": "ebgan"}], ids=["gan", "gan, joint", "ebgan"])
@pytest.mark.parametrize(("n_layer_g", "n_layer_d"), [(2, 2), (3, 2), (2, 4)])
def test_operations_are_those_that_torch_counts(own: dict[str, Any], n_layer_g: int, n_layer_d: int) -> None:
    members = tuple(trial(n_layer_g=n_layer_g, n_layer_d=n_layer_d, seed=s, **own, **TINY) for s in range(3))
    training = new_training(Cohort(members), torch.rand(20, cost.PIXELS) * 2 - 1)
    with FlopCounterMode(display=False) as counter:
        training.step()
    assert counter.get_total_flops() == 3 * cost.step_flops(members[0])


def test_a_training_costs_its_steps() -> None:
    assert training_flops(trial(steps=40)) == 40 * cost.step_flops(trial())


def test_memory_of_a_tiny_gan_by_hand() -> None:
    # Generator 3 -> 5 -> 1024, discriminator 1024 -> 7 -> 1, 8 images; scored on one batch of 500.
    g = 3 * 5 + 2 * 5 + 5 * 1024 + 1024
    d = 1024 * 7 + 7 + 7 * 1 + 1
    step = 8 * (3 * 1024 + 2 * 3)  # real images, two batches of generated ones, and their noise
    step += 8 * (2 * (5 + 5) + 5)  # generator: product and value of both batches, gradient of one
    step += 8 * (2 + 1) * (7 + 7 + 1 + 1) + 8 * 1024  # discriminator: values and gradients; that of the images
    scoring = 500 * (2 * 5 + 2 * 1024) + 96 * 1024 + 500 * 2 * (30 + 32 + 64 + 32 + 1)
    held = 4 * (4 * g + 4 * d + step + 16 * 1024)  # and the images whose movement is measured
    assert cost.held_bytes(trial(**TINY)) == held
    assert cost.member_bytes(trial(**TINY)) == held + 4 * scoring
    assert cost.member_bytes(trial(optim_g="sgd", **TINY)) == held + 4 * scoring - 4 * 2 * g
    assert cost.member_bytes(trial(optim_d="sgd", **TINY)) == held + 4 * scoring - 4 * 2 * d


@pytest.mark.parametrize("rules", [("adam", "adam"), ("adam", "sgd"), ("sgd", "sgd")], ids="-".join)
@pytest.mark.parametrize(
    "own",
    [{"family": "gan"}, {"norm_d": "joint"}, {"family": "ebgan"}, {"family": "ebgan_pt"}],
    ids=["gan", "gan, joint", "ebgan", "ebgan_pt"],
)
@pytest.mark.parametrize(("n_layer_g", "n_layer_d"), [(2, 2), (3, 2), (2, 4)])
def test_a_member_holds_the_tensors_that_are_there(
    own: dict[str, Any], rules: tuple[str, str], n_layer_g: int, n_layer_d: int
) -> None:
    sizes = {"n_layer_g": n_layer_g, "n_layer_d": n_layer_d, "size_g": 300, "size_d": 200}
    member = trial(optim_g=rules[0], optim_d=rules[1], **own, **sizes)
    two, four = (_tensor_bytes(member, k) for k in (2, 4))
    assert (four - two) / 2 == pytest.approx(cost.held_bytes(member), rel=0.02)


def _tensor_bytes(member: Trial, k: int) -> int:
    """Bytes of all tensors that appear with a training of k such members and stay after a step."""
    gc.collect()
    before = _storages()
    training = new_training(Cohort((member,) * k), torch.zeros(20, cost.PIXELS))
    training.step()
    gc.collect()
    return sum(size for place, size in _storages().items() if place not in before)


def _storages() -> dict[int, int]:
    """Place and bytes of the memory of every tensor that the garbage collector knows."""
    storages = [item.untyped_storage() for item in gc.get_objects() if type(item) is torch.Tensor]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}


def test_members_of_several_seeds_have_dropout_masks_of_their_own() -> None:
    one_seed, seeds = [[trial(dropout_d=True, seed=s, **TINY) for s in group] for group in ((0, 0), (0, 1))]
    masks = 4 * 3 * 8 * 7  # of the 3 slots of 8 images, 7 channels
    # Those of the second seed are kept with what drawing takes, and each member has its own in the order of members.
    assert cost.cohort_bytes(seeds) == cost.cohort_bytes(one_seed) + 3 * masks + 2 * masks
    assert cost.largest_member_bytes(seeds) == cost.member_bytes(seeds[0]) + 4 * masks
    assert cost.largest_member_bytes(one_seed) == cost.member_bytes(one_seed[0])


def test_a_cohort_is_the_sum_of_its_members() -> None:
    members = [trial(optim_g=rule, lr=lr, **TINY) for rule in ("adam", "sgd") for lr in (0.1, 0.01)]
    for device in ("cpu", "cuda"):
        expected = cost.shared_bytes(members[0], device) + sum(cost.member_bytes(m, device) for m in members)
        assert cost.cohort_bytes(members, device) == expected
        assert cost.largest_member_bytes(members, device) == cost.member_bytes(members[0], device)


def test_the_papers_grids_take_some_hundred_megabytes_of_disk() -> None:
    assert 10e6 < 7168 * cost.disk_bytes() < 1e9
