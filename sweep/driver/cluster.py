"""The Ray cluster that RAY_ADDRESS names: whether it answers, and how its machines are shared out."""

import math
import os
import socket
from collections.abc import Sequence

from sweep.planning.cost import FLOPS_PER_CORE, FLOPS_PER_GPU
from sweep.planning.machine import Machine
from sweep.planning.plan import PLANNED, PlanError, Resources, room_on_gpus, share_out

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


def share_out_all(
    machines: Sequence[Machine], workers: int | None = None, gpus_per_worker: float | None = None
) -> Resources:
    """Divide machines among workers that are all alike: by default one a GPU, and without GPUs one a core.

    A worker stays on one machine, and none gets more than the poorest of them has.

    Raises:
        PlanError: more is asked for than the machines have.
    """
    if len(machines) == 1:
        return share_out(machines[0], workers, gpus_per_worker)
    n_gpus = sum(len(machine.gpus) for machine in machines)
    if gpus_per_worker is None:
        gpus_per_worker = 1 / math.ceil((workers or 1) / n_gpus) if n_gpus else 0.0
    if gpus_per_worker:
        having = [machine for machine in machines if machine.gpus]
        fits = [min(machine.cores, room_on_gpus(len(machine.gpus), gpus_per_worker)) for machine in having]
    else:
        having, fits = list(machines), [machine.cores for machine in machines]
    most = sum(fits)
    workers = most if workers is None else workers
    if not 1 <= workers <= most:
        raise PlanError(f"--workers: got {workers}, allowed: 1 to {most} on this cluster of {len(machines)} machines")
    cores = max(c for c in range(1, 1 + max(m.cores for m in having)) if _places(having, c, fits) >= workers)
    each = [max(1, min(fit, machine.cores // cores)) for machine, fit in zip(having, fits, strict=True)]
    if gpus_per_worker:
        smallest = min(size for machine in having for _, size in machine.gpus)
        memory, flops = int(0.9 * smallest * min(1.0, gpus_per_worker)), FLOPS_PER_GPU * gpus_per_worker
    else:
        memory = min(int(PLANNED * machine.memory / n) for machine, n in zip(having, each, strict=True))
        flops = FLOPS_PER_CORE * cores
    return Resources(workers, cores, gpus_per_worker, memory, flops)


def _places(machines: Sequence[Machine], cores: int, fits: Sequence[int]) -> int:
    return sum(min(fit, machine.cores // cores) for machine, fit in zip(machines, fits, strict=True))
