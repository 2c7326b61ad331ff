"""Mirrors, each played by a real server on this machine."""

import http.server
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_mnist import Digits, FolderHandler, Handler, folder_handler

from data.errors import DataError
from data.mnist import mirrors

Start = Callable[[Handler], str]


class HalfHandler(FolderHandler):
    """Promises the whole of every file and sends half."""

    body = bytes(range(200))

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body[:100])


class ChunkedHalfHandler(FolderHandler):
    """Sends one chunk of fifty bytes and breaks off before the next."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"32\r\n" + bytes(50) + b"\r\n")
        self.close_connection = True


class DripHandler(FolderHandler):
    """Answers at once and then sends ten bytes, one every 60 ms."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for byte in range(10):
            self.wfile.write(bytes([byte]))
            time.sleep(0.06)


class StallHandler(FolderHandler):
    """Sends three bytes and then nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"abc")
        time.sleep(1)


class EndlessHandler(FolderHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(bytes(1 << 16))
        except ConnectionError:
            pass


def test_fetches_all_files(tmp_path: Path, digits: Digits, start: Start) -> None:
    base = start(folder_handler(digits.save(tmp_path / "mirror", gzipped=True)))
    arrays = mirrors.fetch_from_mirror(base, digits.files)
    assert arrays.keys() == digits.arrays.keys()
    for name, array in digits.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_an_altered_file_is_refused_with_its_address_and_hashes(tmp_path: Path, digits: Digits, start: Start) -> None:
    other = Digits(digits.files, {name: array ^ np.uint8(1) for name, array in digits.arrays.items()})
    base = start(folder_handler(other.save(tmp_path / "mirror", gzipped=True)))
    with pytest.raises(DataError) as caught:
        mirrors.fetch_from_mirror(base, digits.files)
    file = digits.files[0]
    assert str(caught.value).startswith(f"{base}{file.name}.gz: content altered: ")
    assert str(caught.value).endswith(f"expected {file.sha256}")


@pytest.mark.parametrize(("handler", "length"), [(HalfHandler, 100), (ChunkedHalfHandler, 50)])
def test_a_truncated_download_goes_to_the_check(
    handler: type[http.server.BaseHTTPRequestHandler], length: int, digits: Digits, start: Start
) -> None:
    base = start(handler)
    assert len(mirrors.download(f"{base}x", at_most=1000)) == length
    with pytest.raises(DataError, match=rf"truncated, {length} of .* expected {digits.files[0].sha256}"):
        mirrors.fetch_from_mirror(base, digits.files)


def test_a_refusal_is_named(tmp_path: Path, digits: Digits, start: Start) -> None:
    base = start(folder_handler(tmp_path))
    with pytest.raises(DataError, match=f"^{base}{digits.files[0].name}.gz: HTTP 404 File not found$"):
        mirrors.fetch_from_mirror(base, digits.files)


def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError, match=f"^http://127.0.0.1:{port}/x: Connection refused$"):
        mirrors.download(f"http://127.0.0.1:{port}/x", at_most=10)


def test_gives_up_on_a_mirror_that_never_answers(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mirrors.GIVE_UP_S <= 4.5  # five seconds were promised
    monkeypatch.setattr(mirrors, "GIVE_UP_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"http://127.0.0.1:{server.getsockname()[1]}/"
        started = time.monotonic()
        with pytest.raises(DataError, match=r"no answer within 0\.5 s"):
            mirrors.fetch_from_mirror(base, digits.files)
        assert 0.5 <= time.monotonic() - started < 1


def test_gives_up_on_a_name_lookup_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def hang(*args: object, **kwargs: object) -> None:
        asked.set()
        over.wait(10)
        raise socket.gaierror(-3, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(mirrors, "GIVE_UP_S", 0.3)
    started = time.monotonic()
    with pytest.raises(DataError, match=r"no answer within 0\.3 s"):
        mirrors.download("http://mirror.invalid/x", at_most=10)
    assert time.monotonic() - started < 3
    assert asked.is_set()
    over.set()


def test_a_slow_but_living_download_is_not_cut(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setattr(mirrors, "GIVE_UP_S", 0.4)
    base = start(DripHandler)
    started = time.monotonic()
    assert mirrors.download(f"{base}x", at_most=100) == bytes(range(10))
    assert time.monotonic() - started > mirrors.GIVE_UP_S


def test_a_download_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setattr(mirrors, "STALL_S", 0.3)
    base = start(StallHandler)
    with pytest.raises(DataError, match=r"x: connection lost after \d+ bytes \(timed out\)"):
        mirrors.download(f"{base}x", at_most=100)


def test_an_endless_download_is_bounded(start: Start) -> None:
    base = start(EndlessHandler)
    assert 100_000 < len(mirrors.download(f"{base}x", at_most=100_000)) <= 100_000 + (1 << 16)
