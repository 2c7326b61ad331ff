"""Made files and local servers that the tests of this folder share."""

import functools
import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.mnist.idx import Bytes, IdxFile

Handler = Callable[..., http.server.BaseHTTPRequestHandler]


@dataclass(frozen=True)
class Digits:
    """Files and the arrays that belong in them."""

    files: tuple[IdxFile, ...]
    arrays: dict[str, Bytes]

    def save(self, folder: Path, gzipped: bool) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for file in self.files:
            content = file.encode(self.arrays[file.name])
            path = folder / (f"{file.name}.gz" if gzipped else file.name)
            path.write_bytes(gzip.compress(content, 1) if gzipped else content)
        return folder


class FolderHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without talking about it."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def folder_handler(folder: Path) -> Handler:
    return functools.partial(FolderHandler, directory=str(folder))


@contextmanager
def serve(handler: Handler) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
