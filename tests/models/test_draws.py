"""Draws belong to a seed and a purpose: never to a cohort, to its order, or to what was drawn elsewhere."""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor

from models.draws import Draws, stream

CPU = torch.device("cpu")


def _draws(*seeds: int, n_images: int = 10) -> Draws:
    return Draws(seeds, n_images, CPU, torch.float64)


def test_stream_follows_from_seed_and_purpose() -> None:
    def first(seed: int, purpose: str) -> list[float]:
        return torch.rand(8, generator=stream(seed, purpose)).tolist()

    expected = first(3, "noise")
    torch.manual_seed(99)
    assert first(3, "noise") == expected
    others = [first(seed, purpose) for seed, purpose in [(4, "noise"), (3, "dropout"), (3, "batches"), (30, "noise")]]
    assert all(other != expected for other in others)
    assert len({tuple(other) for other in others}) == 4


def test_streams_never_change() -> None:
    # A trial's identity is its settings: the same settings must draw the same numbers in every version.
    # First 8 bytes of sha256("0/noise"), little endian, halved.
    assert stream(0, "noise").initial_seed() == 1129392339022293447
    assert stream(7, "generator").initial_seed() == 2640633621019087782


def test_global_seed_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draws = _draws(0, 1)
    draws.z((4, 2))
    draws.batch(4)
    draws.dropout_mask((4, 2), 0.5)
    assert torch.equal(torch.rand(3), expected)


def test_shapes() -> None:
    draws = _draws(2, 1, 2)
    assert draws.z((4, 6)).shape == (4, 2, 6)
    assert draws.to_members(draws.z((4, 6))).shape == (4, 3, 6)
    assert draws.batch(4).shape == (4, 2)  # two distinct seeds
    assert draws.dropout_mask((4, 2, 5), 0.5).shape == (4, 2, 2, 5)
    assert draws.to_members(draws.dropout_mask((4, 5), 0.5)).shape == (4, 3, 5)
    assert draws.z((4, 6)).dtype == torch.float64


@pytest.mark.parametrize("n", [3, 7, 10, 23])
def test_every_epoch_is_a_new_permutation_and_batches_straddle_epochs(n: int) -> None:
    draws = _draws(0)
    seen = torch.cat([draws.batch(n)[:, 0] for _ in range(30)]).tolist()
    epochs = [seen[i : i + 10] for i in range(0, len(seen) - 9, 10)]
    assert len(epochs) >= 9
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)


def test_batch_size_does_not_change_the_order_of_images() -> None:
    small, large = _draws(4), _draws(4)
    assert [small.batch(3)[:, 0].tolist() for _ in range(5)] == large.batch(15)[:, 0].reshape(5, 3).tolist()


def _everything(draws: Draws) -> dict[str, list[Tensor]]:
    """Three rounds of every kind, spread over the members: [..., K, C]."""
    rounds: dict[str, list[Tensor]] = {"z": [], "batch": [], "dropout_mask": []}
    for _ in range(3):
        rounds["batch"].append(draws.to_members(draws.batch(7)[..., None]))
        rounds["z"].append(draws.to_members(draws.z((4, 3))))
        rounds["dropout_mask"].append(draws.to_members(draws.dropout_mask((4, 2, 8), 0.5)))
    return rounds


@pytest.mark.parametrize("seeds", [(5, 5, 5), (5, 2, 5, 9, 2), (9, 5, 2), (1, 0)])
def test_members_get_what_their_seed_gets_alone(seeds: tuple[int, ...]) -> None:
    together = _everything(_draws(*seeds))
    alone = {seed: _everything(_draws(seed)) for seed in set(seeds)}
    for k, seed in enumerate(seeds):
        for kind, rounds in together.items():
            for i, values in enumerate(rounds):
                assert values.shape[-2] == len(seeds)
                assert torch.equal(values[..., k, :], alone[seed][kind][i][..., 0, :])
    for kind in ("z", "batch", "dropout_mask"):
        distinct = {tuple(rounds[kind][0].flatten().tolist()) for rounds in alone.values()}
        assert len(distinct) == len(alone)


def test_kinds_do_not_disturb_each_other() -> None:
    busy, calm = _draws(3), _draws(3)
    busy.batch(25)
    busy.dropout_mask((100, 4), 0.5)
    assert torch.equal(busy.z((6, 4)), calm.z((6, 4)))
    busy.z((50, 4))
    calm.dropout_mask((100, 4), 0.5)
    assert torch.equal(busy.dropout_mask((6, 4), 0.5), calm.dropout_mask((6, 4), 0.5))


def test_z_is_standard_normal_and_new_each_time() -> None:
    draws = _draws(0, 1)
    first, second = draws.z((500, 40)), draws.z((500, 40))
    assert not torch.equal(first, second)
    for k in range(2):
        values = first[:, k].flatten()
        n = len(values)
        assert abs(values.mean().item()) < 5 / math.sqrt(n)
        assert abs(values.var().item() - 1) < 5 * math.sqrt(2 / n)
        assert abs((values.abs() < 1).double().mean().item() - 0.6827) < 5 * math.sqrt(0.22 / n)


@pytest.mark.parametrize("rate", [0.5, 0.2, 0.8])
def test_dropout_keeps_its_share_and_its_mean(rate: float) -> None:
    masks = _draws(0, 1).dropout_mask((200, 2, 50), rate)
    n = masks[:, :, 0].numel()
    assert set(Counter(masks.flatten().tolist())) == {0.0, 1 / (1 - rate)}
    for k in range(2):
        kept = (masks[:, :, k] > 0).double().mean().item()
        assert abs(kept - (1 - rate)) < 5 * math.sqrt(rate * (1 - rate) / n)
    assert not torch.equal(masks[:, 0], masks[:, 1])  # real and generated images have masks of their own


def test_shared_draws_take_no_copy() -> None:
    # A cohort of one seed pays for one draw: its members look at the same memory.
    draws = _draws(*[0] * 24)
    assert draws.to_members(draws.z((8, 5))).untyped_storage().nbytes() == 8 * 5 * 8
