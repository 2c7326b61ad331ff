"""What ends a sweep from outside: its database, or Ray."""


class StorageError(Exception):
    """A database that can't be used; the message is one line that names it."""


class RayError(Exception):
    """Ray can't be made to work; the message is one line."""
