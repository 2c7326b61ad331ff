"""The time that the rest of a sweep takes, for the live display and for `status`, and how a time limit bounds it."""

from sweep.text import duration

FINISH_S = 60.0  # a cohort that is expected to end at most so many seconds after the time limit is finished
SETTLED_S = 20.0  # before this, the rate is too uncertain for an estimate


def seconds_left(done: float, seconds: float, left: float) -> float | None:
    """Seconds for the remaining work at the rate so far; None before there is a rate.

    Args:
        done: work done so far, including that of cohorts in flight, in seconds that a worker was expected to take.
        seconds: time that it took.
        left: work that remains, in the same unit.
    """
    return max(0.0, left) * seconds / done if done > 0 and seconds > SETTLED_S else None


def left_text(seconds: float) -> str:
    """The time left in words."""
    return f"{duration(seconds)} left for the whole grid"
