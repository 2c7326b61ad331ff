"""A command-line parser that reports a mistake in one line."""

import argparse
import re
from typing import Any, NoReturn


class CommandParser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated options, and never prints a URL, because it may hold a password."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False} | settings)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"\S*://\S*", "(a URL)", message)
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")
