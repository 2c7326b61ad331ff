"""The time that the rest of a sweep takes, for the live display and for `status`."""


def seconds_left(done: float, seconds: float, left: float) -> float | None:
    """Seconds for the remaining operations at the rate so far; None before anything is done.

    Args:
        done: floating-point operations done so far, including those of cohorts in flight.
        seconds: time that these took.
        left: floating-point operations that remain.
    """
    return max(0.0, left) * seconds / done if done > 0 and seconds > 0 else None
