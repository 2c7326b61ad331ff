"""The URL of a database server does not stay in the command line, which every user of the machine can read."""

import os
import sys

_OPTION = "--db"


def hide_password() -> None:
    """Start this command again with the URL in the environment, which only its user can read.

    It may hold a password. An SQLite file has none, and stays where it is.
    """
    words, urls = _without_urls(sys.orig_argv)
    if any("://" in url and not url.startswith("sqlite") for url in urls):
        os.execve(sys.executable, words, os.environ | {"SWEEP_DB": urls[-1]})


def _without_urls(words: list[str]) -> tuple[list[str], list[str]]:
    """A command line without --db, and the URLs that this named."""
    kept, urls, rest = [], [], iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option != _OPTION:
            kept.append(word)
        elif equals:
            urls.append(value)
        else:
            urls += [url for url in [next(rest, None)] if url is not None]
    return kept, urls
