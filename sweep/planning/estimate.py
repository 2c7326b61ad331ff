"""How long the rest of a sweep takes, from what it has done: for the live display and for `status` alike."""


def seconds_left(done: float, seconds: float, left: float) -> float | None:
    """Seconds for the rest at the rate so far; None before anything is done.

    Args:
        done: arithmetic that is done, also that of cohorts in flight.
        seconds: time that it took.
        left: arithmetic of the rest.
    """
    return max(0.0, left) * seconds / done if done > 0 and seconds > 0 else None
