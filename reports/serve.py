"""Serves the folder of a report to browsers on this machine, with a small file that tells open pages what changed."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

STATE = "state.json"
LOOPBACK = "127.0.0.1"
_ENDED = ("COMPLETE", "DIVERGED", "FAILED")


def write_state(folder: Path, made: str, state: str, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Write the state of the sweep, whole or not at all.

    Args:
        made: when the report in the folder was made; its page has the same text.
        state: of the sweep, in words.
        counts: trials by family and state.
    """
    ended = sum(own.get(name, 0) for own in counts.values() for name in _ENDED)
    declared = sum(n for own in counts.values() for n in own.values())
    found = {"made": made, "state": state, "ended": ended, "declared": declared, "counts": counts}
    part = folder / f".{STATE}"
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(folder / STATE)


@contextmanager
def serving(folder: Path, port: int) -> Iterator[int]:
    """Serve the files of a folder on loopback; gives the port, a free one where 0 was asked for.

    Raises:
        OSError: the port can't be used.
    """
    with ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, directory=os.fspath(folder))) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            (folder / STATE).unlink(missing_ok=True)


class _Handler(SimpleHTTPRequestHandler):
    """Gives files and nothing else; a browser asks again each time, since reports replace each other."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(404)

    def parse_request(self) -> bool:
        """Refuse requests that name another host: such a name was made to lead a stranger's page here."""
        if not super().parse_request():
            return False
        if self.headers.get("Host", "").rpartition(":")[0] in (LOOPBACK, "localhost"):
            return True
        self.send_error(403)
        return False

    def log_message(self, *arguments: object) -> None:
        """Say nothing: a page asks every few seconds."""
