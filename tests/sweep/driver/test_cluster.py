"""The address of a Ray cluster: answered in one line where nobody is there."""

import socket
import threading
import time
from contextlib import nullcontext

import pytest

from sweep.driver.cluster import check_address
from sweep.planning.resources import PlanError

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
