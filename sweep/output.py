"""What is put out: printing that never stops a sweep, and text of unknown origin made harmless to who shows it.

Of what is printed a full disk swallows a line, a closed pipe all that follow.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def say(text: str) -> None:
    """Print a line, if it can be printed."""
    attempt(lambda: print(text, flush=True))


def attempt(printing: Callable[[], object]) -> None:
    """Do something that prints; go on without output where nobody reads any more."""
    try:
        printing()
    except BrokenPipeError:
        _mute()
    except SystemExit:  # rich's way with a closed pipe
        _mute()
    except OSError:
        return


def shown(text: str) -> str:
    """Text of unknown origin for a terminal: without control characters, which could do more than be read."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def for_spreadsheet(value: Any) -> Any:
    """A value for a CSV file: an apostrophe keeps spreadsheets from taking text for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\n")  # pandas would write it bare, and it would begin a row
    return f"'{text}" if value.startswith(_FORMULA) else text


def table_for_spreadsheet(table: "pd.DataFrame") -> "pd.DataFrame":
    """The same for each value of a table."""
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
    return table.assign(**{str(name): column.map(for_spreadsheet) for name, column in texts.items()})


def one_line(text: str) -> str:
    """The same in one line, for an error."""
    return shown(" ".join(text.splitlines()))


def _mute() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
