"""The Ray cluster that RAY_ADDRESS names: whether one is named, and whether it answers."""

import os
import socket

from sweep.planning.resources import PlanError

ANSWER_S = 5.0
# Ray speaks gRPC, which is HTTP/2: a client's first words, and the kind of frame that is the answer (RFC 9113, 3.4).
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = b"\x04"


def is_named() -> bool:
    """Whether RAY_ADDRESS names a cluster; without one, a sweep starts Ray on this machine."""
    return os.environ.get("RAY_ADDRESS", "") not in ("", "local")


def check_address() -> None:
    """Make sure that somebody answers at RAY_ADDRESS; Ray itself would wait for minutes.

    Raises:
        PlanError: the address is none, or nobody answers there.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and address.isprintable() and port.isascii() and port.isdigit()):
        raise PlanError(f"RAY_ADDRESS: got {address!r}, allowed: host:port of a Ray cluster, or auto")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_S) as connection:
            connection.sendall(_GREETING)
            answer = connection.recv(9)
    except (OSError, OverflowError, UnicodeError) as error:
        raise PlanError(f"RAY_ADDRESS: nobody answers at {address}: {error}") from None
    if answer[3:4] != _SETTINGS:
        raise PlanError(f"RAY_ADDRESS: what answers at {address} is not Ray")
