"""The baseline `vmap`: PyTorch's own ensembling, torch.func.stack_module_state and vmap over grad."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from benchmarks.baselines.draws import Draws, RandomDraws
from benchmarks.baselines.networks import Dropout, make_networks, pull_away
from search_spaces.trial import Trial

Parameters = dict[str, Tensor]


class VmapBaseline:
    """Configurations of one shape as one vmapped program; all share the draws of z, batches and masks.

    Members with equal optimiser settings are neighbours, so that torch's fused optimisers run on slices.
    """

    def __init__(self, cells: Sequence[Trial], images: Tensor, draws: Draws | None = None) -> None:
        first = cells[0]
        self._shared, self._images, self._hidden = first.training, images, first.settings.n_layer_d - 1
        self._draws = draws or RandomDraws(images, first.training.dropout_rate)
        self._order = sorted(
            range(len(cells)),
            key=lambda i: (cells[i].settings.optim_g, cells[i].settings.lr, cells[i].settings.optim_d),
        )
        members = [cells[i] for i in self._order]
        networks = [make_networks(cell, images) for cell in members]
        self._generator, self._discriminator = networks[0]
        self._g = _detached(stack_module_state([g for g, _ in networks])[0])
        self._d = _detached(stack_module_state([d for _, d in networks])[0])
        self._slices_g = list(_optimizers(self._g, members, [cell.settings.optim_g for cell in members]))
        self._slices_d = list(_optimizers(self._d, members, [cell.settings.optim_d for cell in members]))

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=images.device, dtype=images.dtype)

        self._gan = first.settings.margin is None
        self._size_d = first.settings.size_d
        self._any_dropout = any(cell.settings.dropout_d for cell in members)
        self._pulls = any(cell.settings.pt_weight for cell in members)
        self._dropout = column([cell.settings.dropout_d for cell in members])
        self._margin = column([cell.settings.margin or 0.0 for cell in members])
        self._pt_weight = column([cell.settings.pt_weight or 0.0 for cell in members])

    def run(self, steps: int) -> None:
        """Train all configurations together."""
        for _ in range(steps):
            self._step()

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [N, K, pixels] from z [N, z_dim], in the order in which the cells were given."""
        images = self._generate(z)
        back = torch.tensor([self._order.index(i) for i in range(len(self._order))], device=images.device)
        return images[back].transpose(0, 1)

    def _step(self) -> None:
        n, z_dim = self._shared.batch_size, self._shared.z_dim
        real = self._images[self._draws.batch(n)]
        with torch.no_grad():
            fake = self._generate(self._draws.z(n, z_dim))
        masks_real, masks_fake = self._masks(n), self._masks(n)
        # Each step makes new vmap functions, which takes microseconds: functions that we kept would refer back to this
        # object, and memory that only Python's collector can free would pile up from shape to shape.
        d_gradients = vmap(grad(self._d_loss), in_dims=(0, 0, None, None, None, 0, 0))
        gradients = d_gradients(self._d, fake, real, masks_real, masks_fake, self._dropout, self._margin)
        _update(self._slices_d, gradients)
        g_gradients = vmap(grad(self._g_loss), in_dims=(0, 0, None, None, 0, 0))
        z, masks = self._draws.z(n, z_dim), self._masks(n)
        _update(self._slices_g, g_gradients(self._g, self._d, z, masks, self._dropout, self._pt_weight))

    def _generate(self, z: Tensor) -> Tensor:
        images: Tensor = vmap(self._images_of, in_dims=(0, None))(self._g, z)
        return images

    def _masks(self, n: int) -> list[Tensor]:
        return [self._draws.mask(n, self._size_d) for _ in range(self._hidden)] if self._any_dropout else []

    def _images_of(self, g: Parameters, z: Tensor) -> Tensor:
        images: Tensor = functional_call(self._generator, g, (z,))
        return images

    def _discriminate(
        self, d: Parameters, images: Tensor, masks: Sequence[Tensor], on: Tensor
    ) -> tuple[Tensor, Tensor]:
        out: tuple[Tensor, Tensor] = functional_call(self._discriminator, d, (images, _dropout(masks, on)))
        return out

    def _d_loss(
        self,
        d: Parameters,
        fake: Tensor,
        real: Tensor,
        masks_real: Sequence[Tensor],
        masks_fake: Sequence[Tensor],
        on: Tensor,
        margin: Tensor,
    ) -> Tensor:
        out_real, _ = self._discriminate(d, real, masks_real, on)
        out_fake, _ = self._discriminate(d, fake, masks_fake, on)
        if self._gan:
            return F.softplus(-out_real).mean() + F.softplus(out_fake).mean()
        return out_real.mean() + (margin - out_fake).relu().mean()

    def _g_loss(
        self, g: Parameters, d: Parameters, z: Tensor, masks: Sequence[Tensor], on: Tensor, pt_weight: Tensor
    ) -> Tensor:
        out, code = self._discriminate(d, self._images_of(g, z), masks, on)
        if self._gan:
            return F.softplus(-out).mean()
        return out.mean() + pt_weight * pull_away(code) if self._pulls else out.mean()


Slice = tuple[slice, Parameters, torch.optim.Optimizer]


def _optimizers(stacked: Parameters, cells: Sequence[Trial], names: Sequence[str]) -> Iterator[Slice]:
    """An optimiser for every run of members with equal settings, on its slice of the stacked parameters."""
    for (name, lr), run in groupby(range(len(cells)), key=lambda i: (names[i], cells[i].settings.lr)):
        members = list(run)
        part = slice(members[0], members[-1] + 1)
        views = {key: value[part] for key, value in stacked.items()}
        betas = cells[0].training.betas
        optimizer = (
            torch.optim.SGD(views.values(), lr=lr, fused=True)
            if name == "sgd"
            else torch.optim.Adam(views.values(), lr=lr, betas=betas, fused=True)
        )
        yield part, views, optimizer


def _update(slices: Sequence[Slice], gradients: Parameters) -> None:
    for part, views, optimizer in slices:
        for name, view in views.items():
            view.grad = gradients[name][part].contiguous()
        optimizer.step()
        optimizer.zero_grad()


def _detached(stacked: Parameters) -> Parameters:
    return {name: value.detach() for name, value in stacked.items()}


def _dropout(masks: Sequence[Tensor], on: Tensor) -> Dropout | None:
    """Dropout by masks, one for each hidden layer, for members that have dropout."""
    waiting = iter(masks)
    return (lambda x: x * (1 + on * (next(waiting) - 1))) if masks else None
