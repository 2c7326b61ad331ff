"""What a logistic regression costs."""

from collections.abc import Sequence

from search_spaces.trial import Trial

WORKER_BYTES = 500_000_000


def step_flops(trial: Trial) -> int:
    return 4 * trial.training.batch_size * 10 * trial.settings.side**2


def scoring_flops(trial: Trial) -> int:
    return 2 * trial.scoring.n_samples * 10 * trial.settings.side**2


def shared_bytes(trial: Trial, device: str = "cpu") -> int:
    return WORKER_BYTES


def largest_member_bytes(trials: Sequence[Trial], device: str = "cpu") -> int:
    return 4 * 20 * trials[0].settings.side ** 2


def cohort_bytes(trials: Sequence[Trial], device: str = "cpu") -> int:
    return shared_bytes(trials[0], device) + len(trials) * largest_member_bytes(trials, device)


def disk_bytes() -> int:
    return 1000
