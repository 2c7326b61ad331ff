"""The time that the rest of a sweep takes, for the live display and for `status`, and how a time limit bounds it."""

FINISH_S = 60.0  # a cohort that is expected to end at most so many seconds after the time limit is finished


def seconds_left(done: float, seconds: float, left: float) -> float | None:
    """Seconds for the remaining operations at the rate so far; None before anything is done.

    Args:
        done: floating-point operations done so far, including those of cohorts in flight.
        seconds: time that these took.
        left: floating-point operations that remain.
    """
    return max(0.0, left) * seconds / done if done > 0 and seconds > 0 else None
