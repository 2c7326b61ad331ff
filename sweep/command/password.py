"""Removes the URL of a database server from the command line, which every user of the machine can read."""

import os
import sys

_OPTION = "--db"


def hide_password() -> None:
    """Start this command again with the URL in the environment, which only its user can read.

    The URL may hold a password. That of an SQLite file has none, and stays in the command line.
    """
    arguments, urls = _without_urls(sys.orig_argv)
    if any("://" in url and not url.startswith("sqlite") for url in urls):
        os.execve(sys.executable, arguments, os.environ | {"SWEEP_DB": urls[-1]})


def _without_urls(arguments: list[str]) -> tuple[list[str], list[str]]:
    """A command line without --db, and the URLs that --db gave."""
    kept, urls, rest = [], [], iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option != _OPTION:
            kept.append(argument)
        elif equals:
            urls.append(value)
        else:
            urls += [url for url in [next(rest, None)] if url is not None]
    return kept, urls
