"""Makes a report again and again while a sweep runs."""

import time
from collections.abc import Callable
from datetime import datetime

EVERY_S = 60.0


def _say(text: str) -> None:
    print(text, flush=True)


def watch(
    state: Callable[[], object],
    build: Callable[[], int],
    every_s: float = EVERY_S,
    tell: Callable[[str], None] = _say,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Builds whenever the state has changed, until Ctrl-C or a build that fails.

    Args:
        state: what the report would show; it is called every `every_s` seconds and compared with its last value.
        build: makes the report and gives an exit code.

    Returns:
        The exit code of the build that failed, or 0 after Ctrl-C.
    """
    shown: object = None
    try:
        while True:
            now = state()
            if now != shown:
                code = build()
                if code:
                    return code
                shown = now
                tell(f"{datetime.now():%H:%M:%S}  watching; Ctrl-C ends it")
            wait(every_s)
    except KeyboardInterrupt:
        return 0
