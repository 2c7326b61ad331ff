"""Random draws that belong to a seed, never to a cohort.

Each seed has one stream of numbers for each purpose, and members that share a seed share the draws on purpose:
comparisons between settings are then paired, and a cohort pays for one draw instead of K.
"""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose numbers follow from the seed and the purpose alone (and from the kind of device)."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class Draws:
    """The draws of K members in training, one stream of each kind per distinct seed (S of them).

    Args:
        seeds: seed of each member.
        n_images: size of the training set that batches are drawn from.
        device, dtype: where and how the draws are made.
    """

    def __init__(self, seeds: Sequence[int], n_images: int, device: torch.device, dtype: torch.dtype) -> None:
        distinct = sorted(set(seeds))
        self._shared = len(distinct) == 1
        self._members = len(seeds)
        self._n_images, self._device, self._dtype = n_images, device, dtype
        self._seed_of_member = torch.tensor([distinct.index(s) for s in seeds], device=device)
        # The numbers follow from these purposes, so another word for one would change every result.
        self._z = [stream(s, "noise", device) for s in distinct]
        self._dropout = [stream(s, "dropout", device) for s in distinct]
        self._batches = [stream(s, "batches", device) for s in distinct]
        self._order: list[Tensor] = [torch.empty(0, dtype=torch.long, device=device) for _ in distinct]

    def z(self, shape: Sequence[int]) -> Tensor:
        """Standard normal inputs of the generator, [*shape[:-1], S, shape[-1]]."""
        z = [torch.randn(*shape, generator=g, device=self._device, dtype=self._dtype) for g in self._z]
        return torch.stack(z, -2)

    def batch(self, n: int) -> Tensor:
        """Indices of the next n training images of each distinct seed, [n, S]; every epoch is a new permutation."""
        picks = []
        for i, generator in enumerate(self._batches):
            while len(self._order[i]) < n:
                epoch = torch.randperm(self._n_images, generator=generator, device=self._device)
                self._order[i] = torch.cat([self._order[i], epoch])
            picks.append(self._order[i][:n])
            self._order[i] = self._order[i][n:]
        return torch.stack(picks, 1)

    def dropout_mask(self, shape: Sequence[int], rate: float) -> Tensor:
        """Dropout multipliers, 0 or 1 / (1 - rate), [*shape[:-1], S, shape[-1]]."""
        masks = []
        for generator in self._dropout:
            kept = torch.rand(*shape, generator=generator, device=self._device, dtype=self._dtype) >= rate
            masks.append(kept.to(self._dtype).div_(1 - rate))
        return torch.stack(masks, -2)

    def state(self) -> dict[str, Tensor]:
        """The state of every stream, on the CPU, and the images left of the epoch."""
        found = {}
        for purpose, generators in self._streams().items():
            for i, generator in enumerate(generators):
                found[f"{purpose}.{i}"] = generator.get_state()
        return found | {f"order.{i}": order for i, order in enumerate(self._order)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: it is the state of other draws; a part may be loaded.
        """
        for purpose, generators in self._streams().items():
            for i, generator in enumerate(generators):
                generator.set_state(state[f"{purpose}.{i}"].cpu())
        orders = [state[f"order.{i}"] for i in range(len(self._order))]
        for order in orders:
            if order.dtype != torch.long or order.dim() != 1 or not ((order >= 0) & (order < self._n_images)).all():
                raise ValueError("the images left of an epoch are not those of this training set")
        self._order = [order.to(self._device) for order in orders]

    def _streams(self) -> dict[str, list[torch.Generator]]:
        """Streams by purpose. Checkpoints hold these names, too."""
        return {"noise": self._z, "dropout": self._dropout, "batches": self._batches}

    def to_members(self, draws: Tensor) -> Tensor:
        """Spread draws of seeds over the members: [..., S, C] -> [..., K, C], without a copy if all share one seed."""
        if self._shared:
            return draws.expand(*draws.shape[:-2], self._members, draws.shape[-1])
        return draws.index_select(-2, self._seed_of_member)
