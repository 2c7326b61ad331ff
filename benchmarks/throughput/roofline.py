"""Lower bound on the time of a training step: the fewest operations and bytes it needs, over the machine's roofline.

Operations are `sweep.planning.cost.step_flops`. Bytes are counted for plain float32 training in which every product
reads its weights once and everything between two products is fused. What such a step moves, for a network with w
weights:

- weights: one read for each product that needs them. The generator runs forward twice and backward once, 3 w; the
  discriminator forward and backward in its own step (real and generated images share a product) and once more of
  each in the generator's step, 4 w. First layers of the generator need no gradient of their input.
- gradients: written by the backward pass, read by the optimiser, 2 w.
- update: weights read and written, 2 w; Adam reads and writes two moments, 4 w more.
- activations: an output of a layer is written, read by the next layer and read again by the backward pass, and its
  gradient is written and read: 5 moves. Without a backward pass it is 2.
- inputs: the real images, read once.

Masks, z and biases are left out, all below a hundredth. Bytes of a step that fits into a cache never see main
memory, so the bandwidth is that of a copy as large as what one member touches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.trial import Trial
from sweep.planning.costs import mnist_gan as cost
from sweep.planning.costs.mnist_gan import FLOAT, discriminator_widths, generator_widths, weights


@dataclass(frozen=True)
class Roofline:
    """What the machine can do at most, with all its cores.

    Attributes:
        flops: operations per second of a large matrix product.
        bandwidth: bytes per second, read and written, of copies by the bytes that they touch.
    """

    flops: float
    bandwidth: Mapping[int, float]

    def bandwidth_of(self, touched: int) -> float:
        """Bandwidth of the largest measured copy that touches no more than this; never slower than a larger one."""
        fitting = [size for size in self.bandwidth if size <= touched] or [min(self.bandwidth)]
        return max(rate for size, rate in self.bandwidth.items() if size >= max(fitting))

    @property
    def main_memory(self) -> float:
        """Bandwidth of the largest copy, far beyond any cache."""
        return self.bandwidth[max(self.bandwidth)]


def step_bytes(trial: Trial) -> int:
    """Bytes that one training step of one member moves at least."""
    g, d = generator_widths(trial), discriminator_widths(trial)
    moves = 3 * weights(g) - g[0] * g[1] + 4 * weights(d) - d[0] * d[1]
    moves += _update_moves(trial.settings.optim_g) * weights(g) + _update_moves(trial.settings.optim_d) * weights(d)
    rows = trial.training.batch_size
    moves += rows * (d[0] + (2 + 5) * sum(g[1:]) + (2 * 5 + 5) * sum(d[1:]))
    return FLOAT * moves


def touched_bytes(trial: Trial) -> int:
    """Weights, gradients and optimiser state of one member: what must stay in a cache for its next step."""
    g, d = weights(generator_widths(trial)), weights(discriminator_widths(trial))
    copies = {"adam": 4, "sgd": 2}  # the weights, their gradients, and Adam's moments
    return FLOAT * (g * copies[trial.settings.optim_g] + d * copies[trial.settings.optim_d])


def lower_bound_seconds(trial: Trial, roofline: Roofline) -> float:
    """Lower bound on the seconds of one step of one member on the whole machine."""
    bandwidth = roofline.bandwidth_of(touched_bytes(trial))
    return max(cost.step_flops(trial) / roofline.flops, step_bytes(trial) / bandwidth)


def main_memory_seconds(trial: Trial, roofline: Roofline) -> float:
    """The same bound if every byte comes from main memory, as in a cohort far larger than the caches."""
    return max(cost.step_flops(trial) / roofline.flops, step_bytes(trial) / roofline.main_memory)


def mean_lower_bound(cells: Sequence[Trial], roofline: Roofline) -> tuple[float, float]:
    """Mean lower bounds of a step of these cells: from the nearest memory that holds a member, and from main memory."""
    near = sum(lower_bound_seconds(cell, roofline) for cell in cells) / len(cells)
    far = sum(main_memory_seconds(cell, roofline) for cell in cells) / len(cells)
    return near, far


def _update_moves(optimizer: str) -> int:
    """Gradient written and read, weight read and written, and two moments of Adam read and written."""
    return 8 if optimizer == "adam" else 4
