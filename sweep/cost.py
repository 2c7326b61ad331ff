"""What a trial costs in operations and bytes, counted from its shape before anything runs."""

import itertools

from search_spaces.trial import Trial

PIXELS = 32 * 32
FLOAT = 4
SHEET_BYTES = 20_000  # a sample sheet as PNG; measured on generated digits
ROW_BYTES = 1_000  # the rows of a trial in all tables, with their indices
DATA_BYTES = 60_000 * PIXELS * FLOAT  # the training images
PROCESS_BYTES = 400_000_000  # Python, torch and Ray in a worker
# Sustained rates from which a first guess of the time is made; a running sweep measures its own.
FLOPS_PER_CORE = 25e9
FLOPS_PER_GPU = 15e12


def generator_widths(trial: Trial) -> list[int]:
    return [trial.training.z_dim, *[trial.size_g] * (trial.n_layer_g - 1), PIXELS]


def discriminator_widths(trial: Trial) -> list[int]:
    return [PIXELS, *[trial.size_d] * (trial.n_layer_d - 1), 1 if trial.family == "gan" else PIXELS]


def weights(widths: list[int]) -> int:
    return sum(a * b for a, b in itertools.pairwise(widths))


def step_flops(trial: Trial) -> int:
    """Floating-point operations of the matrix products of one training step, for one member.

    A product of a layer with `w` weights costs 2 w a row. Forward is one product, the gradient of the weights
    another, the gradient of the input a third (not needed by a first layer). In a step the generator runs
    forward twice and backward once; the discriminator runs forward and backward on real and generated images,
    and once more on generated ones with no gradient of its own weights.
    """
    g, d = generator_widths(trial), discriminator_widths(trial)
    generator = 4 * weights(g) - g[0] * g[1]
    discriminator = 2 * (3 * weights(d) - d[0] * d[1]) + 2 * weights(d)
    return 2 * trial.training.batch_size * (generator + discriminator)


def training_flops(trial: Trial) -> int:
    return step_flops(trial) * trial.training.steps


def member_bytes(trial: Trial) -> int:
    """Peak memory that one more member adds to a cohort.

    Weights and Adam's two moments of both networks, the gradients of the larger one, and the activations that
    autograd keeps: each hidden layer keeps its product and its normalised, rectified output; dropout one more.
    """
    g, d = generator_widths(trial), discriminator_widths(trial)
    state = 3 * (weights(g) + weights(d)) + max(weights(g), weights(d))
    activations = 2 * sum(g[1:]) + 2 * 3 * sum(d)
    return FLOAT * (state + trial.training.batch_size * activations)


def shared_bytes(trial: Trial) -> int:
    """Memory of a worker whatever the number of members."""
    return DATA_BYTES + PROCESS_BYTES


def disk_bytes(n_trials: int) -> int:
    return n_trials * (SHEET_BYTES + ROW_BYTES)
