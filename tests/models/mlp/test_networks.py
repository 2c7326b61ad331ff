"""The networks: layer counts and widths, where batch norm and biases sit, what the energy is, and all gradients.

Gradients are written out in `models`; here autograd finds them again, through plain layers.
"""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from models.mlp.architecture import Architecture
from models.mlp.discriminator import AutoencoderDiscriminator, DiscriminatorPass, LogitDiscriminator, make_discriminator
from models.mlp.generator import GeneratorPass, make_generator
from models.mlp.layers import Activations
from models.mlp.network import Network, Pass
from models.mlp.training import initial_weights

K, N = 3, 10
CPU, F64 = torch.device("cpu"), torch.float64
EXACT = {"rtol": 1e-11, "atol": 1e-12}


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _weights(widths: Sequence[int], scale: float = 0.4) -> list[Tensor]:
    return [scale * _normal(K, a, b, seed=i) for i, (a, b) in enumerate(itertools.pairwise(widths))]


def _network(widths: Sequence[int], norm_first: bool, dropout: Sequence[bool] = ()) -> Network:
    """No parameter is left at its initial 0 or 1."""
    network = Network(_weights(widths), norm_first, CPU, F64, dropout)
    for i, tensor in enumerate(network.tensors()):
        tensor.add_(0.3 * _normal(*tensor.shape, seed=90 + i))
    return network


def _leaves(network: Network) -> list[Tensor]:
    return [tensor.clone().requires_grad_() for tensor in network.tensors()]


def _gradients(network: Network) -> list[Tensor]:
    """Gradients in the order of `tensors`."""
    found = []
    for linear, norm in zip(network.linears, network.norms, strict=True):
        others = (linear.bias,) if norm is None else (norm.scale, norm.shift)
        found += [p.gradient.clone() for p in (linear.weight, *others)]
    return found


def _plain(
    network: Network, leaves: Sequence[Tensor], x: Tensor, masks: Sequence[Tensor], on: Sequence[bool]
) -> tuple[Tensor, Tensor]:
    """Output and code of all members by formulas that autograd follows, x [H, N, K, C]."""
    waiting = iter(leaves)
    code = x
    for i, norm in enumerate(network.norms):
        code = x
        x = torch.einsum("hnki,kio->hnko", x, next(waiting))
        first = next(waiting)
        if norm is None:
            x = x + first
        else:
            centred = x - x.mean(1, keepdim=True)
            x = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * first + next(waiting)
        if i < len(network.norms) - 1:
            x = x.relu()
            if masks:
                x = x * torch.where(torch.tensor(on)[:, None], masks[i], 1.0)
    return x, code


def _masks(batches: int, widths: Sequence[int]) -> list[Tensor]:
    return [2.0 * (_normal(batches, N, K, c, seed=70 + i) > 0) for i, c in enumerate(widths)]


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("with_masks", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_outputs_and_gradients_are_those_of_autograd(norm_first: bool, with_masks: bool, batches: int) -> None:
    on = [True, False, True]
    network = _network([4, 6, 5, 5, 7], norm_first, on)
    masks = _masks(batches, [6, 5, 5]) if with_masks else []
    x, d_out, d_code = (_normal(batches, N, K, c, seed=s) for s, c in ((1, 4), (2, 7), (3, 5)))
    run = Pass(network, Activations(x.clone()), param_grads=True, input_grad=True)
    run.forward(masks)
    run.d_output.tensor.copy_(d_out)
    run.backward(masks, d_code)

    leaves, leaf = _leaves(network), x.clone().requires_grad_()
    out, code = _plain(network, leaves, leaf, masks, on)
    expected = torch.autograd.grad([out, code], [leaf, *leaves], [d_out, d_code])
    assert_close(run.output.tensor, out.detach(), **EXACT)
    assert_close(run.code.tensor, code.detach(), **EXACT)
    assert_close(run.d_input.tensor, expected[0], **EXACT)
    for gradient, other in zip(_gradients(network), expected[1:], strict=True):
        assert_close(gradient, other, **EXACT)


def test_a_pass_runs_again_on_new_contents() -> None:
    network = _network([4, 6, 7], norm_first=True)
    x = Activations(_normal(2, N, K, 4))
    run, results = Pass(network, x, param_grads=True, input_grad=True), []
    for seed in (5, 6, 5):
        x.tensor.copy_(_normal(2, N, K, 4, seed=seed))
        run.forward()
        run.d_output.tensor.fill_(1)
        run.backward()
        results.append((run.output.tensor.clone(), run.d_input.tensor.clone(), *_gradients(network)))
    assert all(torch.equal(a, b) for a, b in zip(results[0], results[2], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(results[0][:3], results[1][:3], strict=True))


def test_batches_side_by_side_equal_separate_passes_and_not_a_joint_one() -> None:
    network = _network([4, 6, 5, 7], norm_first=True)
    x = _normal(2, N, K, 4) + torch.tensor([0.0, 2.0])[:, None, None, None]
    both = Pass(network, Activations(x))
    both.forward()
    for h in range(2):
        alone = Pass(network, Activations(x[h : h + 1]))
        alone.forward()
        assert_close(both.output.tensor[h], alone.output.tensor[0], **EXACT)
    joint = Pass(network, Activations(x.flatten(0, 1)[None]))
    joint.forward()
    assert (joint.output.tensor - both.output.tensor.flatten(0, 1)).abs().max() > 0.1


@pytest.mark.parametrize("h", [0, 1])
def test_the_backward_pass_may_be_for_one_batch_alone(h: int) -> None:
    network, x, d_out = _network([4, 6, 5, 7], norm_first=True), _normal(2, N, K, 4), _normal(1, N, K, 7, seed=1)
    out = Activations(torch.empty(2, N, K, 7, dtype=F64))
    asked = {"param_grads": True, "input_grad": True}
    both = Pass(network, Activations(x), out, backward_batches=slice(h, h + 1), d_output=Activations(d_out), **asked)
    both.forward()
    both.backward()
    gradients = _gradients(network)
    alone = Pass(network, Activations(x[h : h + 1]), d_output=Activations(d_out), **asked)
    alone.forward()
    alone.backward()
    assert torch.equal(both.output.tensor, out.tensor)
    assert_close(both.d_input.tensor, alone.d_input.tensor, **EXACT)
    for gradient, other in zip(gradients, _gradients(network), strict=True):
        assert_close(gradient, other, **EXACT)


def test_the_gradient_of_the_input_alone_leaves_the_gradients_of_parameters_as_they_are() -> None:
    network, both = _network([4, 6, 5, 7], norm_first=False), []
    for param_grads in (True, False):
        network.parameters.gradients.fill_(7)
        run = Pass(network, Activations(_normal(1, N, K, 4)), param_grads=param_grads, input_grad=True)
        run.forward()
        run.d_output.tensor.fill_(1)
        run.backward()
        both.append(run.d_input.tensor)
        assert not any((gradient == 7).any() == param_grads for gradient in _gradients(network))
    assert torch.equal(*both)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_pass_that_never_goes_back_shares_memory_and_gives_the_same(norm_first: bool) -> None:
    network, x = _network([4, 6, 6, 6, 6, 7], norm_first), Activations(_normal(2, N, K, 4))
    runs = [Pass(network, x, param_grads=True), Pass(network, x)]
    for run in runs:
        run.forward()
    assert torch.equal(runs[0].output.tensor, runs[1].output.tensor)
    memory = [len({a.tensor.data_ptr() for a in (*run._activations, *run._linear_outputs)}) for run in runs]
    assert memory == [10 - (not norm_first), 4 + (not norm_first)]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("where", ["input", "weight", "scale", "mask"])
def test_nonfinite_member_leaves_neighbours_bit_identical(where: str, bad: float) -> None:
    def run(broken: bool) -> list[Tensor]:
        network = _network([4, 5, 6, 7], norm_first=False, dropout=[True] * K)
        x, masks = _normal(2, N, K, 4), [torch.ones(2, N, K, c, dtype=F64) for c in (5, 6)]
        places = {"input": x, "weight": network.tensors()[0], "scale": network.tensors()[3], "mask": masks[0]}
        if broken:
            places[where].movedim(-2 if where in ("input", "mask") else 0, 0)[1].fill_(bad)
        both = Pass(network, Activations(x), param_grads=True, input_grad=True)
        both.forward(masks)
        both.d_output.tensor.copy_(_normal(2, N, K, 7, seed=3))
        both.backward(masks)
        by_member = [both.output.tensor.movedim(2, 0), both.d_input.tensor.movedim(2, 0), *_gradients(network)]
        return [t.clone() for t in by_member]

    clean, broken = run(False), run(True)
    assert not broken[0][1].isfinite().all()
    for a, b in zip(clean, broken, strict=True):
        assert torch.equal(a[[0, 2]], b[[0, 2]])


@pytest.mark.parametrize("kind", ["logit", "autoencoder"])
@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_depth_counts_weight_layers_and_size_is_every_hidden_width(depth: int, kind: str) -> None:
    shape = Architecture(kind, n_layer_g=depth, n_layer_d=7 - depth, size_g=8, size_d=6, z_dim=5, pixels=16)
    assert shape.generator_widths() == [5, *[8] * (depth - 1), 16]
    assert shape.discriminator_widths() == [16, *[6] * (6 - depth), 1 if kind == "logit" else 16]
    generator = make_generator(_weights(shape.generator_widths()), CPU, F64)
    discriminator = make_discriminator(_weights(shape.discriminator_widths()), [False] * K, CPU, F64)
    for network, layers, norms in ((generator, depth, depth - 1), (discriminator, 7 - depth, 5 - depth)):
        assert len(network.linears) == layers
        assert sum(norm is not None for norm in network.norms) == norms
        assert all(tensor.shape[0] == K for tensor in network.tensors())


def test_defaults_are_the_papers() -> None:
    shape = Architecture("autoencoder", 5, 2, 800, 1024)
    assert shape.generator_widths() == [100, 800, 800, 800, 800, 1024]
    assert shape.discriminator_widths() == [1024, 1024, 1024]


def test_no_bias_stands_before_a_batch_norm() -> None:
    for network, expected in (
        (make_generator(_weights([5, 8, 8, 16]), CPU, F64), [True, True, False]),
        (make_discriminator(_weights([16, 6, 6, 6, 1]), [False] * K, CPU, F64), [False, True, True, False]),
    ):
        assert [norm is not None for norm in network.norms] == expected
        assert [linear.bias is None for linear in network.linears] == expected


def _discriminator_pass(
    kind: type[DiscriminatorPass], widths: Sequence[int], images: Tensor, scale: float = 0.4
) -> tuple[Network, DiscriminatorPass]:
    network = make_discriminator(_weights(widths, scale), [True, False, True], CPU, F64)
    return network, kind(network, Activations(images), param_grads=True)


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("kind", [LogitDiscriminator, AutoencoderDiscriminator])
def test_outputs_and_their_gradients_are_those_of_autograd(kind: type[DiscriminatorPass], batches: int) -> None:
    images, masks = _normal(batches, N, K, 16), _masks(batches, [6, 6])
    network, run = _discriminator_pass(kind, [16, 6, 6, 1 if kind is LogitDiscriminator else 16], images.clone())
    d_output, d_code = _normal(batches, N, K, seed=5), _normal(batches, N, K, 6, seed=6)
    output = run.forward(masks).clone()

    leaves, leaf = _leaves(network), images.clone().requires_grad_()
    out, code = _plain(network, leaves, leaf, masks, [True, False, True])
    expected = (
        out[..., 0] if kind is LogitDiscriminator else (out - leaf).square().sum(-1).sqrt()
    )  # both images: not detached
    assert_close(output, expected.detach(), **EXACT)
    assert_close(run.code, code.detach(), **EXACT)
    by_output = torch.autograd.grad(expected, leaves, d_output, retain_graph=True)
    (d_images,) = torch.autograd.grad([expected, code], leaf, [d_output, d_code])

    run.backward(d_output, masks)
    for gradient, other in zip(_gradients(network), by_output, strict=True):
        assert_close(gradient, other, **EXACT)
    second = kind(network, Activations(images.clone()), input_grad=True)
    assert_close(second.forward(masks), output, **EXACT)
    second.backward(d_output, masks, d_code)
    assert_close(second.d_images.tensor, d_images, **EXACT)
    for gradient, other in zip(_gradients(network), by_output, strict=True):
        assert_close(gradient, other, **EXACT)  # the gradients of the parameters are as before


def test_code_is_what_the_last_layer_receives() -> None:
    masks = _masks(1, [6, 6])
    for kind, out in ((AutoencoderDiscriminator, 16), (LogitDiscriminator, 1)):
        _, run = _discriminator_pass(kind, [16, 6, 6, out], _normal(1, N, K, 16))
        run.forward(masks)
        assert run.code.shape == (1, N, K, 6)
        assert run.code.min() == 0.0  # after the ReLU
        assert run.code.max() > 0.0
        assert (run.code[:, :, [0, 2]][masks[1][:, :, [0, 2]] == 0] == 0).all()  # and after dropout


def test_energy_is_the_norm_of_the_whole_image() -> None:
    images = torch.stack([torch.full((K, 1024), v) for v in (1.0, -0.5, 0.0)]).double()[None]
    network, run = _discriminator_pass(
        AutoencoderDiscriminator, [1024, 6, 1024], images, scale=0.0
    )  # rebuilds every image as 0
    energy = run.forward([])
    assert_close(energy[0], torch.tensor([32.0, 16.0, 0.0]).double()[:, None].expand(3, K))
    run.backward(torch.ones_like(energy), [])
    assert network.parameters.gradients.isfinite().all()  # though one image is rebuilt exactly


def test_generator_ends_in_tanh() -> None:
    network = make_generator(_weights([5, 8, 8, 16], scale=3.0), CPU, F64)
    z, d_images = _normal(2, 50, K, 5), _normal(2, 50, K, 16, seed=1)
    run = GeneratorPass(network, Activations(z), param_grads=True, d_images=Activations(d_images.clone()))
    images = run.forward().clone()
    run.backward()
    leaves = _leaves(network)
    expected = torch.tanh(_plain(network, leaves, z, [], [])[0])
    assert images.shape == (2, 50, K, 16)
    assert images.max() > 0.99
    assert images.min() < -0.99
    assert_close(images, expected.detach(), rtol=1e-11, atol=1e-13)
    for gradient, other in zip(_gradients(network), torch.autograd.grad(expected, leaves, d_images), strict=True):
        assert_close(gradient, other, rtol=1e-9, atol=1e-9)


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
