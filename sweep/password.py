"""A password in a database URL does not stay in the command line, which every user of the machine can read."""

import os
import re
import sys

_OPTIONS = ("--db", "--d")  # argparse takes a beginning for the whole
_HAS_PASSWORD = re.compile(r"[\w+]+://([^@]*:.*@|.*[?&]\w*pass)", re.IGNORECASE)


def hide_password() -> None:
    """Start this command again with the URL in the environment, which only its user can read, if it has a password.

    Ray would keep the command line, too, where whoever joins the cluster can ask for it.
    """
    words, url = _without_url(sys.orig_argv)
    if url is not None and _HAS_PASSWORD.match(url):
        os.execve(sys.executable, words, os.environ | {"SWEEP_DB": url})


def _without_url(words: list[str]) -> tuple[list[str], str | None]:
    """A command line without its last --db, and the URL that this named."""
    for at in range(len(words) - 1, 0, -1):
        option, equals, value = words[at].partition("=")
        if option in _OPTIONS and equals:
            return words[:at] + words[at + 1 :], value
        if option in _OPTIONS and at + 1 < len(words):
            return words[:at] + words[at + 2 :], words[at + 1]
    return words, None
