"""What a trial of the GAN grids costs in operations and bytes, counted from its shape before anything runs."""

import itertools
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from search_spaces.trial import Trial

PIXELS = 32 * 32
FLOAT = 4
SHEET_BYTES = 20_000  # a sample sheet as PNG; measured on generated digits
ROW_BYTES = 1_000  # a trial's rows in all tables, with their indices
DATA_BYTES = 60_000 * PIXELS * FLOAT  # the training images
PROCESS_BYTES = 500_000_000  # a worker with torch, Ray, the metrics and the rest from loading MNIST; measured
CONTEXT_BYTES = 500_000_000  # CUDA's context and the workspaces of its libraries
SCORING_BATCH = 500  # images that share batch statistics in the generator when it is scored
SHEET_IMAGES = 96
WATCHED = 16  # images of a member whose movement is measured
FEATURES = (32, 64, 32)  # numbers of an image for the Frechet distance, by classifier
MAPS = 32 * 28**2 + 2 * 32 * 9**2  # numbers in the maps of an image, of the classifier that has most
CLASSIFIER_FLOPS = 9_200_000  # of all classifiers, for an image


def generator_widths(trial: Trial) -> list[int]:
    return [trial.training.z_dim, *[trial.settings.size_g] * (trial.settings.n_layer_g - 1), PIXELS]


def discriminator_widths(trial: Trial) -> list[int]:
    return [
        PIXELS,
        *[trial.settings.size_d] * (trial.settings.n_layer_d - 1),
        1 if trial.network == "logit" else PIXELS,
    ]


def weights(widths: Sequence[int]) -> int:
    return sum(a * b for a, b in itertools.pairwise(widths))


def step_flops(trial: Trial) -> int:
    """Floating-point operations of the matrix products of one training step, for one member.

    A product of a layer with `w` weights costs 2 w a row. Forward is one product, the gradient of the weights
    another, the gradient of the input a third (not needed by a first layer). In a step the generator runs
    forward twice and backward once; the discriminator runs forward and backward on real and generated images,
    and once more on generated ones with no gradient of its own weights, where norm is joint on real ones too.
    """
    g, d = generator_widths(trial), discriminator_widths(trial)
    generator = 4 * weights(g) - g[0] * g[1]
    discriminator = 2 * (3 * weights(d) - d[0] * d[1]) + 2 * _g_batches(trial) * weights(d)
    return 2 * trial.training.batch_size * (generator + discriminator)


def scoring_flops(trial: Trial) -> int:
    """Floating-point operations of scoring one member once: its images are made and classified."""
    return trial.scoring.n_samples * (2 * weights(generator_widths(trial)) + CLASSIFIER_FLOPS)


def cohort_bytes(trials: Sequence[Trial], device: str = "cpu") -> int:
    """Peak memory in bytes of a worker that trains and scores these trials of one shape, on "cpu" or "cuda"."""
    trials = _alike(trials)
    kinds = Counter((trial.settings.optim_g, trial.settings.optim_d) for trial in trials)
    one_of = {(trial.settings.optim_g, trial.settings.optim_d): trial for trial in trials}
    members = sum(n * member_bytes(one_of[kind], device) for kind, n in kinds.items())
    seeds = len({trial.settings.seed for trial in trials})
    own = FLOAT * _own_draws(trials) * (3 * (seeds - 1) + len(trials)) if seeds > 1 else 0
    return shared_bytes(trials[0], device) + members + own


def largest_member_bytes(trials: Sequence[Trial], device: str = "cpu") -> int:
    """The most memory that one of these trials of one shape adds to a cohort of them, in bytes."""
    trials = _alike(trials)
    one_of = {(trial.settings.optim_g, trial.settings.optim_d): trial for trial in trials}
    own = FLOAT * _own_draws(trials) * 4 if len({trial.settings.seed for trial in trials}) > 1 else 0
    return max(member_bytes(trial, device) for trial in one_of.values()) + own


def member_bytes(trial: Trial, device: str = "cpu") -> int:
    """Peak memory in bytes that one more member adds to a cohort of one seed, on "cpu" or "cuda".

    A member adds `held_bytes` and the larger of two temporary needs: the memory of `_scoring`, or on a CPU that of the
    initial weights, which the process keeps and scoring uses again.

    The backward pass of batch norm (a batch of the widest layer) and the gradient of the pull-away term (some batches
    of the code) take less than scoring.
    """
    g, d = _parameters(trial)
    for_a_while = g + d if device == "cpu" else 0
    return held_bytes(trial) + FLOAT * max(for_a_while, _scoring(trial, device))


def held_bytes(trial: Trial) -> int:
    """Memory in bytes that a member holds throughout its training: `_state`, `_buffers` of a step, watched images.

    The statistics of batch norm, 4 to 6 numbers per channel, are left out; they are below 2%.
    """
    return FLOAT * (_state(trial) + _buffers(trial) + WATCHED * PIXELS)


def shared_bytes(trial: Trial, device: str = "cpu") -> int:
    """Memory in bytes that a worker takes however many members there are, on "cpu" or "cuda".

    It consists of the training images; the part of the process that lies on the device; the dropout masks that members
    of one seed share, with the memory for drawing them; on a CPU the initial weights of a seed before they are copied
    for each member; and for scoring the noise of all samples, and one member's features in double precision.
    """
    drawn = 3 * _masks(trial) + trial.scoring.n_samples * (trial.training.z_dim + 2 * max(FEATURES))
    if device == "cpu":
        return PROCESS_BYTES + DATA_BYTES + FLOAT * (drawn + max(_parameters(trial)))
    return CONTEXT_BYTES + DATA_BYTES + FLOAT * drawn


def _parameters(trial: Trial) -> tuple[int, int]:
    """Numbers in the generator and in the discriminator: weights, and per channel 2 for batch norm or 1 for a bias."""
    return _parameters_between(tuple(generator_widths(trial)), tuple(discriminator_widths(trial)))


@lru_cache(maxsize=16)  # callers ask many times for one shape before the next
def _parameters_between(g: tuple[int, ...], d: tuple[int, ...]) -> tuple[int, int]:
    return weights(g) + 2 * sum(g[1:-1]) + g[-1], weights(d) + d[1] + 2 * sum(d[2:-1]) + d[-1]


def _state(trial: Trial) -> int:
    """Numbers that the networks hold: weights, gradients, and Adam's two moments."""
    optimizers = (trial.settings.optim_g, trial.settings.optim_d)
    return sum((4 if name == "adam" else 2) * n for name, n in zip(optimizers, _parameters(trial), strict=True))


def _buffers(trial: Trial) -> int:
    """Numbers in the fixed memory of a step: `models.mlp.training.CohortTraining` and its three passes.

    For each image of a batch there are 3 slots of images and 2 of noise; the generator's hidden layers, forward on 2
    batches (product and value) and backward on 1; the discriminator's layers, forward and backward on 2 + 1 batches,
    where the first and the last layer have no batch norm and keep product and value in one buffer; and the gradient of
    the discriminator's input, which trains the generator.
    """
    hidden_g = sum(generator_widths(trial)[1:-1])
    _, first, *normed, out = discriminator_widths(trial)
    g_batches = _g_batches(trial)
    draws = (2 + g_batches) * PIXELS + 2 * trial.training.z_dim
    generator = (2 * 2 + 1) * hidden_g
    discriminator = (2 + g_batches) * (2 * first + 3 * sum(normed) + 2 * out) + g_batches * PIXELS
    return trial.training.batch_size * (draws + generator + discriminator)


def _g_batches(trial: Trial) -> int:
    """Batches of images that a discriminator is given in the generator's update."""
    return 2 if trial.settings.norm_d == "joint" else 1


def _alike(trials: Sequence[Trial]) -> Sequence[Trial]:
    """The trials as they are in one cohort, where a member with joint norm gives all members its buffers."""
    if all(_g_batches(trial) == 1 for trial in trials):
        return trials
    return [trial.changed(norm_d="joint") for trial in trials]


def _scoring(trial: Trial, device: str) -> int:
    """Numbers that scoring adds (`sweep.worker.train`, `metrics.scorer`).

    The hidden layers that make a batch of images share one product and one value, and the previous batch is still held.
    The batch is then copied for the classifiers, which on a CUDA device take all images at once and make two maps of
    each. For each sample the logits and features of every classifier and a sum are kept and copied once. The images of
    the sheet are kept.
    """
    maps = MAPS if device == "cuda" else 0
    batch = SCORING_BATCH * (2 * PIXELS + max(2 * trial.settings.size_g, maps))
    return batch + SHEET_IMAGES * PIXELS + 2 * (sum(FEATURES) + 10 * len(FEATURES) + 1) * trial.scoring.n_samples


def _masks(trial: Trial) -> int:
    """Numbers in the dropout masks of one seed in a step."""
    return (trial.settings.n_layer_d - 1) * 3 * trial.training.batch_size * trial.settings.size_d


def _own_draws(trials: Sequence[Trial]) -> int:
    """Numbers in the dropout masks of one seed, if any of these trials has dropout.

    Where seeds differ, each seed takes 3 times this for its masks and for drawing them, and each member has a copy.
    """
    return _masks(trials[0]) if any(trial.settings.dropout_d for trial in trials) else 0


def disk_bytes() -> int:
    """Bytes that a finished trial takes in the database."""
    return SHEET_BYTES + ROW_BYTES
