"""The Ray cluster that RAY_ADDRESS names, checked before anything is written."""

import os
import socket

from sweep.plan import PlanError

ANSWER_S = 5.0


def check_address() -> None:
    """Make sure that somebody answers at RAY_ADDRESS; Ray itself would wait for minutes.

    Raises:
        PlanError: the address is none, or nobody answers there.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        raise PlanError(f"RAY_ADDRESS: got {address}, allowed: host:port of a Ray cluster, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise PlanError(f"RAY_ADDRESS: nobody answers at {address}: {error}") from None
