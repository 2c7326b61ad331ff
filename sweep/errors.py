"""Errors from outside that end a sweep: its database fails, or Ray does."""


class StorageError(Exception):
    """A database that can't be used; the message is one line that names it."""


class RayError(Exception):
    """Ray does not work; the message is one line."""
