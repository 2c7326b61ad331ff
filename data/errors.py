"""The one error of this package."""


class DataError(Exception):
    """Data is missing, unreachable or not what it should be; the text is one line for the user."""
