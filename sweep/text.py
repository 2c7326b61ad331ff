"""Numbers, nouns and times in messages."""

_UNITS = (("month", 30.4 * 86400), ("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))


def counted(n: int, noun: str) -> str:
    """ "1 trial" or "2 trials"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float) -> str:
    """An estimated time in the largest unit of which it holds two: "about 50 seconds", "about 6 minutes"."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= 2 * size), ("second", 1.0))
    n = seconds / size
    return f"about {counted(max(1, round(n) if n < 15 else 5 * round(n / 5)), unit)}"
