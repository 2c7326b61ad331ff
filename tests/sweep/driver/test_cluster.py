"""The address of a Ray cluster: answered in one line where nobody is there."""

import socket
import threading
import time
from contextlib import nullcontext

import pytest

from sweep.driver.cluster import check_address, share_out_all
from sweep.planning.machine import Machine
from sweep.planning.plan import PlanError, share_out

GIB = 2**30


def machine(cores: int, memory: int, *gpus: int) -> Machine:
    return Machine(cores, memory * GIB, tuple(("some GPU", size * GIB) for size in gpus))


NO_ADDRESSES = ("nonsense", "host:", ":6379:x", "127.0.0.1:99999999", "a..b:12", ":\N{SUPERSCRIPT TWO}")


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(PlanError, match="RAY_ADDRESS"):
        check_address()


def test_nobody_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound but not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        start = time.monotonic()
        with pytest.raises(PlanError, match=f"nobody answers at {address}"):
            check_address()
        assert time.monotonic() - start < 6


@pytest.mark.parametrize(
    ("answer", "is_ray"),
    [(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), True), (b"HTTP/1.0 400", False), (b"", False)],
)
def test_what_answers_must_speak_as_ray_does(monkeypatch: pytest.MonkeyPatch, answer: bytes, is_ray: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")

        def talk() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(answer)
            connection.close()

        talking = threading.Thread(target=talk)
        talking.start()
        with nullcontext() if is_ray else pytest.raises(PlanError, match="is not Ray"):
            check_address()
        talking.join()


def test_without_an_address_there_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    check_address()


class TestSharingOut:
    def test_one_machine_is_as_without_a_cluster(self) -> None:
        alone = machine(8, 64, 80, 80)
        assert share_out_all([alone]) == share_out(alone)
        assert share_out_all([alone], 4) == share_out(alone, 4)

    def test_by_default_a_worker_a_core(self) -> None:
        found = share_out_all([machine(4, 64), machine(2, 8)])
        assert (found.workers, found.cores, found.gpus) == (6, 1, 0)
        assert found.memory == int(0.7 * 8 * GIB / 2)  # what the poorest can give

    def test_fewer_workers_get_more_cores(self) -> None:
        found = share_out_all([machine(4, 64), machine(2, 8)], 3)
        assert (found.workers, found.cores) == (3, 2)
        assert found.memory == int(0.7 * 8 * GIB)

    def test_by_default_a_worker_a_gpu_and_machines_without_one_rest(self) -> None:
        found = share_out_all([machine(16, 64, 80, 80), machine(8, 64, 24), machine(8, 64)])
        assert (found.workers, found.gpus) == (3, 1.0)
        assert found.memory == int(0.9 * 24 * GIB)

    def test_fractions_of_gpus(self) -> None:
        found = share_out_all([machine(16, 64, 80), machine(8, 64, 80)], None, 0.25)
        assert (found.workers, found.gpus, found.cores) == (8, 0.25, 2)
        assert found.memory == int(0.9 * 80 * GIB * 0.25)

    @pytest.mark.parametrize(("workers", "each"), [(7, None), (0, None)])
    def test_more_than_there_is(self, workers: int, each: float | None) -> None:
        with pytest.raises(PlanError, match=r"--workers: got [07], allowed: 1 to 6 on this cluster of 2 machines"):
            share_out_all([machine(4, 64), machine(2, 8)], workers, each)
