"""Training: a member of a cohort ends where it ends alone, and where plain PyTorch takes it.

How far two runs may differ. Sums over a batch round differently for different K, and adversarial training multiplies
a rounding error, by up to 1e16 within 50 steps: it does so too in a lone run that starts one rounding error away.
So double precision is held to 1e-8 where the training itself is that well conditioned (two layers for 50 steps, three
for 10), and beyond that to ten times what one rounding error at the start does. What must not depend on rounding,
such as the settings of a neighbour, is compared bit by bit.
"""

import gc
import itertools
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from plain_training import PlainTraining
from torch import Tensor
from torch.testing import assert_close

from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.training import CohortTraining

CONFIG = TrainingConfig(steps=50, batch_size=16)
STEPS = (1, 10, 50)
IMAGES = 100  # six and a quarter batches: every sixth or so straddles two epochs

GAN = tuple(
    Member(lr, optim_g, optim_d, dropout, seed=0)
    for dropout, optim_g, optim_d, lr in itertools.product(
        [True, False], ["adam", "sgd"], ["adam", "sgd"], [1e-2, 1e-3, 1e-4]
    )
)
EBGAN = tuple(
    Member(1e-3, "adam", "adam", dropout, seed=0, margin=margin)
    for dropout, margin in itertools.product([True, False], [0.2, 0.5, 10.0])
)
EBGAN_PT = tuple(replace(member, pt_weight=0.1) for member in EBGAN)
COHORTS: dict[str, tuple[Member, ...]] = {
    "gan": GAN,
    "ebgan": EBGAN,
    "ebgan_pt": EBGAN_PT,
    "ebgan and ebgan_pt": tuple(itertools.chain(*zip(EBGAN, EBGAN_PT, strict=True))),
    "gan, both norms": tuple(replace(m, joint_norm=k in (1, 3, 4)) for k, m in enumerate(GAN[::5])),
    "gan, two seeds": tuple(replace(m, seed=k % 2) for k, m in enumerate(GAN[::5])),
    "ebgan and ebgan_pt, two seeds": tuple(replace(m, seed=5 - k % 2) for k, m in enumerate(EBGAN[::2] + EBGAN_PT[1:])),
}

FAMILIES = ("gan", "ebgan", "ebgan_pt")


def _architecture(members: Sequence[Member], depth: int) -> Architecture:
    kind = "logit" if members[0].margin is None else "autoencoder"
    return Architecture(kind, depth, depth, size_g=16, size_d=12, z_dim=6, pixels=20)


def _images(dtype: torch.dtype) -> Tensor:
    """Ten blurred prototypes in [-1, 1], [100, 20]."""
    numbers = torch.Generator().manual_seed(1)
    prototypes = torch.randn(10, 20, generator=numbers, dtype=torch.float64)
    blur = 0.5 * torch.randn(IMAGES, 20, generator=numbers, dtype=torch.float64)
    return (prototypes.repeat(IMAGES // 10, 1) + blur).tanh().to(dtype)


def _training(members: Sequence[Member], depth: int, dtype: torch.dtype = torch.float64) -> CohortTraining:
    return CohortTraining(_architecture(members, depth), members, CONFIG, _images(dtype))


def _tensors(training: CohortTraining) -> list[Tensor]:
    return [*training.generator.tensors(), *training.discriminator.tensors()]


def _weights(training: CohortTraining) -> list[Tensor]:
    """A copy of every parameter, [K, ...]."""
    return [tensor.clone() for tensor in _tensors(training)]


Weights = dict[int, list[Tensor]]  # weights after so many steps


def _weights_at(training: CohortTraining, steps: Sequence[int] = STEPS) -> Weights:
    found = {}
    for step in range(1, max(steps) + 1):
        training.step()
        if step in steps:
            found[step] = _weights(training)
    return found


@cache
def _together(
    members: tuple[Member, ...], depth: int, dtype: torch.dtype = torch.float64, steps: tuple[int, ...] = STEPS
) -> Weights:
    return _weights_at(_training(members, depth, dtype), steps)


def _alone(member: Member, depth: int, dtype: torch.dtype = torch.float64, steps: tuple[int, ...] = STEPS) -> Weights:
    return _together((member,), depth, dtype, steps)


def _of(member: int, weights: list[Tensor]) -> list[Tensor]:
    return [w[member : member + 1] for w in weights]


def _distance(first: list[Tensor], second: list[Tensor]) -> float:
    """Of two networks, relative to the length of their weights."""
    apart = torch.cat([(a - b).flatten() for a, b in zip(first, second, strict=True)]).norm()
    return (apart / torch.cat([b.flatten() for b in second]).norm()).item()


def _assert_same_weights(first: list[Tensor], second: list[Tensor]) -> None:
    """1e-8 of each weight; near 0, 1e-12, which is 1e-8 of the smallest rate, the length of one step of Adam."""
    for a, b in zip(first, second, strict=True):
        assert_close(a, b, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("cohort", COHORTS)
def test_cohort_equals_solo(cohort: str, step: int) -> None:
    members = COHORTS[cohort]
    together = _together(members, 2)[step]
    for k, member in enumerate(members):
        _assert_same_weights(_of(k, together), _alone(member, 2)[step])


@pytest.mark.parametrize("step", [1, 10])
@pytest.mark.parametrize("cohort", COHORTS)
def test_cohort_equals_solo_with_batch_norm_in_the_discriminator(cohort: str, step: int) -> None:
    members = COHORTS[cohort]
    together = _together(members, 3, steps=(1, 10))[step]
    for k, member in enumerate(members):
        _assert_same_weights(_of(k, together), _alone(member, 3, steps=(1, 10))[step])


@pytest.mark.parametrize("cohort", ["gan, two seeds", "ebgan", "ebgan_pt"])
def test_cohort_strays_no_further_than_a_rounding_error_at_the_start(cohort: str) -> None:
    # Measured after 50 steps: distances up to 7e-9, never more than 0.9 of those of the shaken starts.
    members = COHORTS[cohort]
    together = _together(members, 3)[50]
    starts = [_weights_at(_shaken(_training(members, 3), seed), [50])[50] for seed in range(4)]
    for k, member in enumerate(members):
        shaken = max(_distance(_of(k, start), _of(k, together)) for start in starts)
        assert _distance(_of(k, together), _alone(member, 3)[50]) <= 10 * shaken


def _shaken(training: CohortTraining, seed: int) -> CohortTraining:
    """Every weight moved by less than one rounding error."""
    numbers = torch.Generator().manual_seed(seed)
    for p in _tensors(training):
        p.mul_(1 + torch.finfo(p.dtype).eps * (2 * torch.rand(p.shape, generator=numbers, dtype=p.dtype) - 1))
    return training


@pytest.mark.parametrize(("step", "most", "all_"), [(1, 1e-6, 2e-5), (10, 1e-6, 2e-5), (50, 2e-6, 0.1)])
@pytest.mark.parametrize("cohort", FAMILIES)
def test_cohort_equals_solo_in_single_precision(cohort: str, step: int, most: float, all_: float) -> None:
    # Measured: 2e-6 after 1 and 10 steps. After 50, 5e-8 for EBGANs and 8e-7 for GANs, but for three whose
    # discriminator uses Adam without dropout: 9e-3, 6e-3 and 5e-5. There a bias whose gradient cancels to rounding
    # noise takes a step of Adam's full size, and a ReLU that switches for it sends the two runs apart.
    members = COHORTS[cohort]
    together = _together(members, 2, torch.float32)[step]
    alone = [_alone(member, 2, torch.float32)[step] for member in members]
    distances = sorted(_distance(_of(k, together), weights) for k, weights in enumerate(alone))
    assert distances[len(members) * 3 // 4] < most
    assert distances[-1] < all_


@pytest.mark.parametrize("cohort", COHORTS)
def test_all_settings_matter(cohort: str) -> None:
    # Without this the tests above could pass for settings that nobody reads.
    together = _together(COHORTS[cohort], 2)[50]
    for i, j in itertools.combinations(range(len(COHORTS[cohort])), 2):
        assert _distance(_of(i, together), _of(j, together)) > 1e-7


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize(
    "member",
    [
        *GAN[::5],
        replace(GAN[1], joint_norm=True),
        replace(GAN[15], joint_norm=True),
        EBGAN[0],
        EBGAN[4],
        EBGAN_PT[1],
        EBGAN_PT[5],
        replace(EBGAN_PT[3], seed=3, pt_weight=2.0),
    ],
    ids=lambda m: (
        f"{m.lr:g}-{m.optim_g}-{m.optim_d}-dropout={m.dropout_d}-margin={m.margin}-pt={m.pt_weight}"
        + "-joint" * m.joint_norm
    ),
)
def test_solo_equals_plain_pytorch(member: Member, depth: int) -> None:
    config = TrainingConfig(steps=50, batch_size=16, beta1=0.4, beta2=0.99, dropout_rate=0.3)
    setting = _architecture([member], depth), config, _images(torch.float64)
    plain = PlainTraining(setting[0], member, *setting[1:])
    training = CohortTraining(setting[0], [member], *setting[1:])
    start = _weights(training)
    for step in range(1, 13 if depth == 2 else 5):
        plain.step()
        training.step()
        _assert_same_weights([w[0] for w in _weights(training)], _in_our_order(plain))
        assert training.steps_done == step
    assert _distance(_weights(training), start) > 1e-6


def test_joint_norm_matters_where_the_discriminator_has_batch_norm() -> None:
    members = (GAN[1], replace(GAN[1], joint_norm=True))
    for depth, differs in ((2, False), (3, True)):
        both = _together(members, depth, steps=(10,))[10]
        assert (_distance(_of(0, both), _of(1, both)) > 1e-3) is differs


MEMBERS = {"gan": GAN[4], "gan, joint": replace(GAN[4], joint_norm=True), "ebgan": EBGAN[1], "ebgan_pt": EBGAN_PT[3]}


@pytest.mark.parametrize("n", [7, 16, 40])
@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_losses_equal_plain_pytorch_without_dropout(member: Member, n: int) -> None:
    training = _training([member], 3)
    for _ in range(5):
        training.step()
    plain = PlainTraining(_architecture([member], 3), member, CONFIG, _images(torch.float64))
    with torch.no_grad():
        for mine, theirs in zip(_parameters(plain), _weights(training), strict=True):
            mine.copy_(theirs[0].T if mine.dim() == 2 else theirs[0])
    z = torch.randn(n, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batches = [torch.arange(start, start + 16) for start in ([0, 16] if n == 40 else [0])]  # n=7: some twice
    pairs = [(plain.images[rows], plain._generate(z[rows % n])) for rows in batches]
    if member.joint_norm:
        both = [plain._discriminate(torch.cat(pair), [])[0].chunk(2) for pair in pairs]
    else:
        both = [tuple(plain._discriminate(images, [])[0] for images in pair) for pair in pairs]
    real, fake = (torch.cat(part) for part in zip(*both, strict=True))
    found = training.evaluate_losses(z)
    if member.margin is None:
        assert torch.stack([found["energy_real"], found["energy_fake"]]).isnan().all()
        loss = -torch.sigmoid(real).log().mean() - torch.sigmoid(-fake).log().mean()
    else:
        assert_close(found["energy_real"], real.mean()[None], rtol=1e-9, atol=0)
        assert_close(found["energy_fake"], fake.mean()[None], rtol=1e-9, atol=0)
        loss = real.mean() + (member.margin - fake).clamp(min=0).mean()
    assert_close(found["d_loss"], loss[None], rtol=1e-9, atol=0)


def _parameters(plain: PlainTraining) -> list[Tensor]:
    layers = [*plain.generator, *plain.discriminator]
    return [p for layer in layers for p in (layer.weight, layer.bias) if p is not None]


def _in_our_order(plain: PlainTraining) -> list[Tensor]:
    weights = []
    for layer in [*plain.generator, *plain.discriminator]:
        weight = layer.weight.detach()
        weights.append(weight.T if weight.dim() == 2 else weight)
        weights += [] if layer.bias is None else [layer.bias.detach()]
    return weights


NEIGHBOURS = {
    "lr": {"lr": 0.3},
    "optim_g": {"optim_g": "sgd"},
    "optim_d": {"optim_d": "sgd"},
    "dropout_d": {"dropout_d": False},
    "seed": {"seed": 4},
    "margin": {"margin": 3.0},
    "pt_weight": {"pt_weight": 5.0},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("setting", NEIGHBOURS)
def test_setting_of_a_neighbour_changes_no_bit_of_the_others(setting: str, dtype: torch.dtype) -> None:
    members = list(EBGAN_PT)
    # A rate of its own from the start: the optimiser's slices, which rounding depends on, stay as they are.
    members[1] = replace(members[1], lr=2e-3)
    before = _weights_at(_training(members, 3, dtype), [30])[30]
    members[1] = replace(members[1], **NEIGHBOURS[setting])
    after = _weights_at(_training(members, 3, dtype), [30])[30]
    others = [k for k in range(len(members)) if k != 1]
    for a, b in zip(after, before, strict=True):
        assert torch.equal(a[others], b[others])
    assert _distance(_of(1, after), _of(1, before)) > 1e-5


@pytest.mark.parametrize("setting", ["lr", "optim_g", "optim_d", "dropout_d", "seed"])
def test_setting_of_a_neighbouring_gan_changes_no_bit_of_the_others(setting: str) -> None:
    members = list(GAN)
    members[1] = replace(members[1], **NEIGHBOURS[setting])
    after, before = _weights_at(_training(members, 2), [10])[10], _together(GAN, 2)[10]
    others = [k for k in range(len(members)) if k != 1]
    for a, b in zip(after, before, strict=True):
        assert torch.equal(a[others], b[others])
    assert _distance(_of(1, after), _of(1, before)) > 1e-5


@pytest.mark.parametrize("cohort", ["gan", "ebgan and ebgan_pt, two seeds"])
def test_order_and_splitting_of_a_cohort_change_nothing(cohort: str) -> None:
    members = COHORTS[cohort]
    together = _together(members, 2)[50]
    order = torch.randperm(len(members), generator=torch.Generator().manual_seed(0)).tolist()
    third = len(members) // 3
    for part in (order, order[:third], order[third:]):
        weights = _weights_at(_training([members[k] for k in part], 2), [50])[50]
        _assert_same_weights(weights, [w[part] for w in together])


@pytest.mark.parametrize("cohort", ["gan", "ebgan_pt"])
def test_runaway_member_diverges_alone(cohort: str) -> None:
    members = list(COHORTS[cohort])
    wild = 1
    members[wild] = replace(members[wild], lr=2e-3)
    tame = _weights_at(_training(members, 2, torch.float32))
    members[wild] = replace(members[wild], lr=1e30)
    training = _training(members, 2, torch.float32)
    weights = _weights_at(training)
    assert training.diverged().tolist() == [k == wild for k in range(len(members))]
    assert not _training(members, 2).diverged().any()
    others = [k for k in range(len(members)) if k != wild]
    for step in STEPS:
        for a, b in zip(weights[step], tame[step], strict=True):
            assert torch.equal(a[others], b[others])
    images = training.generate(torch.randn(20, 6, generator=torch.Generator().manual_seed(0)))
    assert images.isfinite().all(2).all(0).tolist() == [k != wild for k in range(len(members))]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_diverged_looks_at_every_weight(bad: float) -> None:
    training = _training(EBGAN, 3)
    for tensor in _tensors(training):
        kept = tensor[2].clone()
        tensor[2, ..., -1] = bad
        assert training.diverged().tolist() == [False, False, True, False, False, False]
        tensor[2] = kept
    assert not training.diverged().any()


def test_generated_images_follow_from_shared_noise_and_its_batch_statistics() -> None:
    training = _training(GAN[:3], 2)
    for _ in range(5):
        training.step()
    z = torch.randn(30, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = training.generate(z)
    assert images.shape == (30, 3, 20)
    assert not images.requires_grad
    assert images.abs().max() <= 1
    assert torch.equal(training.generate(z), images)
    assert_close(training.generate(z.flip(0)).flip(0), images, rtol=1e-10, atol=1e-10)
    assert (training.generate(z[:15]) - images[:15]).abs().max() > 1e-4  # other images, other statistics
    training.generator.tensors()[0][1:] = training.generator.tensors()[0][:1]
    assert (training.generate(z)[:, 1] - images[:, 1]).abs().max() > 1e-6


def test_looking_at_a_training_does_not_disturb_it() -> None:
    disturbed = _training(EBGAN_PT, 3)
    for _ in range(10):
        disturbed.evaluate_losses(torch.ones(4, 6, dtype=torch.float64))
        disturbed.generate(torch.zeros(4, 6, dtype=torch.float64))
        disturbed.diverged()
        disturbed.step()
    for a, b in zip(_weights(disturbed), _together(EBGAN_PT, 3, steps=(1, 10))[10], strict=True):
        assert torch.equal(a, b)


def test_training_is_repeatable_whatever_the_global_seed() -> None:
    torch.manual_seed(123)
    again = _weights_at(_training(EBGAN_PT, 3), [10])[10]
    for a, b in zip(again, _together(EBGAN_PT, 3, steps=(1, 10))[10], strict=True):
        assert torch.equal(a, b)


def test_start_is_the_papers() -> None:
    shape = Architecture("autoencoder", 4, 3, size_g=200, size_d=150)
    training = CohortTraining(shape, EBGAN[:2], CONFIG, torch.zeros(4, 1024))
    assert training.steps_done == 0
    for network, std in ((training.generator, 0.02), (training.discriminator, 0.002)):
        for linear, norm in zip(network.linears, network.norms, strict=True):
            assert linear.weight.value.std().item() == pytest.approx(std, rel=0.03)
            assert linear.bias is None or not linear.bias.value.any()
            assert norm is None or ((norm.scale.value == 1).all() and not norm.shift.value.any())


def test_optimizer_and_lr_reach_the_optimisers() -> None:
    # One step of Adam moves a weight by its rate, one of SGD by rate times gradient.
    members = [replace(GAN[0], lr=0.01), replace(GAN[0], lr=0.001, optim_g="sgd"), replace(GAN[0], lr=0.001)]
    training = _training(members, 2)
    before = [p.clone() for p in training.generator.tensors()]
    training.step()
    moved = [
        (p - b).abs().amax(tuple(range(1, b.dim()))) for p, b in zip(training.generator.tensors(), before, strict=True)
    ]
    for m in moved:
        assert m[0].item() == pytest.approx(0.01, rel=0.1)
        assert m[1].item() < 1e-4
        assert m[2].item() == pytest.approx(0.001, rel=0.1)


def test_a_training_is_freed_when_its_owner_lets_go() -> None:
    # The collector of cycles comes late: until then two cohorts would be in memory.
    training = _training(EBGAN_PT, 3)
    training.step()
    training.generate(torch.zeros(4, 6, dtype=torch.float64))
    gone = weakref.ref(training.generator.parameters)
    gc.disable()
    try:
        del training
        assert gone() is None
    finally:
        gc.enable()
