"""The three networks: layer counts and widths, where batch norm and biases sit, and what the energy is."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.architecture import Architecture
from models.discriminator import AutoEncoder, LogitDiscriminator
from models.generator import Generator
from models.layers import StackedBatchNorm, StackedLinear
from models.training import initial_weights

K = 3


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _weights(widths: list[int], scale: float = 0.4) -> list[Tensor]:
    return [scale * _normal(K, a, b, seed=i) for i, (a, b) in enumerate(itertools.pairwise(widths))]


def _linears(network: nn.Module) -> list[StackedLinear]:
    return [module for module in network.modules() if isinstance(module, StackedLinear)]


def _norms(network: nn.Module) -> list[StackedBatchNorm]:
    return [module for module in network.modules() if isinstance(module, StackedBatchNorm)]


@pytest.mark.parametrize("kind", ["logit", "autoencoder"])
@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_depth_counts_weight_layers_and_size_is_every_hidden_width(depth: int, kind: str) -> None:
    shape = Architecture(kind, n_layer_g=depth, n_layer_d=7 - depth, size_g=8, size_d=6, z_dim=5, pixels=16)
    assert shape.generator_widths() == [5, *[8] * (depth - 1), 16]
    assert shape.discriminator_widths() == [16, *[6] * (6 - depth), 1 if kind == "logit" else 16]

    generator = Generator(_weights(shape.generator_widths()))
    judge = {"logit": LogitDiscriminator, "autoencoder": AutoEncoder}[kind]
    discriminator = judge(_weights(shape.discriminator_widths()))
    assert len(_linears(generator)) == depth
    assert len(_linears(discriminator)) == 7 - depth
    assert len(_norms(generator)) == depth - 1  # after all but the output
    assert len(_norms(discriminator)) == 5 - depth  # after all but the first and the last
    for network in (generator, discriminator):
        assert all(p.shape[0] == K for p in network.parameters())
        assert sum(linear.bias is not None for linear in _linears(network)) == len(_linears(network)) - len(
            _norms(network)
        )


def test_defaults_are_the_papers() -> None:
    shape = Architecture("autoencoder", 5, 2, 800, 1024)
    assert shape.generator_widths() == [100, 800, 800, 800, 800, 1024]
    assert shape.discriminator_widths() == [1024, 1024, 1024]


@pytest.mark.parametrize("judge", [LogitDiscriminator, AutoEncoder])
def test_no_bias_stands_before_a_batch_norm(judge: type[nn.Module]) -> None:
    # Seen from outside: a shift of any linear layer's output either matters or does not exist.
    last = 1 if judge is LogitDiscriminator else 16
    for network, x in (
        (Generator(_weights([5, 8, 8, 8, 16])), _normal(20, K, 5)),
        (judge(_weights([16, 6, 6, 6, last])), _normal(20, K, 16)),
    ):
        for name, parameter in network.named_parameters():
            if name.endswith("linears.0.bias") or "output.bias" in name or "decoder.bias" in name:
                out = network(x) if isinstance(network, Generator) else network(x, None)[0]
                (grad,) = torch.autograd.grad(out.square().sum(), parameter)
                assert grad.abs().max() > 1e-3
        for module in network.modules():
            for linear, norm in zip(getattr(module, "linears", []), getattr(module, "norms", []), strict=True):
                assert (linear.bias is None) == isinstance(norm, StackedBatchNorm)


def test_decoder_is_one_bare_linear_layer() -> None:
    network = AutoEncoder(_weights([16, 6, 6, 6, 16]))
    assert isinstance(network.decoder, StackedLinear)
    x = _normal(10, K, 16)
    energy, code = network(x, None)
    for k in range(K):
        rebuilt = code[:, k] @ network.decoder.weight[k] + network.decoder.bias[k]
        assert_close(energy[:, k], (rebuilt - x[:, k]).square().sum(-1).sqrt(), rtol=1e-12, atol=0)


def test_code_is_what_the_last_layer_receives() -> None:
    masks = [torch.full((10, K, 6), 2.0, dtype=torch.float64) * (_normal(10, K, 6, seed=i) > 0) for i in range(2)]
    for network in (AutoEncoder(_weights([16, 6, 6, 16])), LogitDiscriminator(_weights([16, 6, 6, 1]))):
        _, code = network(_normal(10, K, 16), masks)
        assert code.shape == (10, K, 6)
        assert code.min() == 0.0  # after the ReLU
        assert code.max() > 0.0
        assert (code[masks[1] == 0] == 0).all()  # and after dropout


def test_energy_is_the_norm_of_the_whole_image() -> None:
    network = AutoEncoder(_weights([1024, 6, 1024], scale=0.0))  # rebuilds every image as 0
    images = torch.stack([torch.full((K, 1024), v) for v in (1.0, -0.5, 0.0)]).double()
    energy, _ = network(images, None)
    assert_close(energy, torch.tensor([32.0, 16.0, 0.0]).double()[:, None].expand(3, K))
    gradient = torch.autograd.grad(energy.sum(), list(network.parameters()))
    assert all(g.isfinite().all() for g in gradient)  # though one image is rebuilt exactly


def test_generators_gradient_flows_through_both_occurrences_of_an_image() -> None:
    network = AutoEncoder(_weights([7, 5, 7]))
    x = _normal(4, K, 7, seed=9).requires_grad_()
    assert torch.autograd.gradcheck(lambda images: network(images, None)[0], x)  # a detached target would fail
    (grad,) = torch.autograd.grad(network(x, None)[0].sum(), x)
    rebuilt = network.decoder(network.encoder(x))
    (one_way,) = torch.autograd.grad((rebuilt - x.detach()).norm(dim=-1).sum(), x)
    assert (grad - one_way).abs().max() > 0.1


def test_generator_ends_in_tanh() -> None:
    network = Generator(_weights([5, 8, 8, 16], scale=3.0))
    z = _normal(50, K, 5)
    images = network(z)
    assert images.shape == (50, K, 16)
    assert images.abs().max() <= 1.0
    assert images.max() > 0.99
    assert images.min() < -0.99
    assert_close(images, torch.tanh(network.output(network.hidden(z))), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("purpose", "std"), [("generator", 0.02), ("discriminator", 0.002)])
def test_initial_weights(purpose: str, std: float) -> None:
    weights = initial_weights([100, 400, 400, 1024], [3, 8, 3], purpose, std)
    assert [tuple(w.shape) for w in weights] == [(3, 100, 400), (3, 400, 400), (3, 400, 1024)]
    for w in weights:
        assert torch.equal(w[0], w[2])  # one seed, one start
        assert not torch.equal(w[0], w[1])
        assert w[0].std().item() == pytest.approx(std, rel=0.02)
        assert abs(w[0].mean().item()) < 5 * std / w[0].numel() ** 0.5
    alone = initial_weights([100, 400, 400, 1024], [8], purpose, std)
    assert all(torch.equal(w[1], a[0]) for w, a in zip(weights, alone, strict=True))
