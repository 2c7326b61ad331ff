"""The address of a Ray cluster: answered in one line where nobody is there."""

import socket
import time

import pytest

from sweep.cluster import check_address
from sweep.plan import PlanError


@pytest.mark.parametrize("address", ["nonsense", "host:", ":6379:x", "127.0.0.1:99999999"])
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


def test_somebody_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        check_address()


def test_without_an_address_there_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    check_address()
