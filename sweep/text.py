"""Numbers and nouns in messages."""


def counted(n: int, noun: str) -> str:
    """ "1 trial" or "2 trials"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
