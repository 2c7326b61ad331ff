"""Public web mirrors of IDX files."""

import http.client
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence

from data.errors import DataError
from data.mnist.idx import Bytes, IdxFile

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
GIVE_UP_S = 4.0  # from asking to the first line of the answer: name lookup, connection and TLS together
STALL_S = 30.0  # of silence in the middle of a download
_CHUNK = 1 << 16


def fetch_from_mirror(base: str, files: Sequence[IdxFile]) -> dict[str, Bytes]:
    """Download the files, gzipped, from below an address that ends in a slash.

    Returns:
        The arrays by file name.

    Raises:
        DataError: the mirror is unreachable, or a file on it is not the published one.
    """
    arrays = {}
    for file in files:
        url = f"{base}{file.name}.gz"
        arrays[file.name] = file.decode(download(url, at_most=file.size), url)
    return arrays


def download(url: str, at_most: int) -> bytes:
    """The content at an address: at most so many bytes, then one chunk more.

    Raises:
        DataError: no answer in GIVE_UP_S, a refusal, or a connection lost on the way.
    """
    response = _open(url)
    content = bytearray()
    try:
        with response:
            while len(content) <= at_most and (chunk := response.read(_CHUNK)):
                content += chunk
    except http.client.IncompleteRead as error:
        content += error.partial  # the caller's check tells what is missing
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: connection lost after {len(content)} bytes ({_reason(error)})") from error
    return bytes(content)


def _open(url: str) -> http.client.HTTPResponse:
    """Ask for an address, waiting GIVE_UP_S at most.

    A socket's timeout does not cover name lookup and starts anew with each address of a host, so the
    asking is done in a thread that is left behind when it takes too long.
    """
    answers: queue.Queue[http.client.HTTPResponse | Exception] = queue.Queue()
    threading.Thread(target=_ask, args=(url, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=GIVE_UP_S)
    except queue.Empty:
        raise DataError(f"{url}: no answer within {GIVE_UP_S:g} s") from None
    if isinstance(answer, Exception):
        raise DataError(f"{url}: {_reason(answer)}") from answer
    return answer


def _ask(url: str, answers: "queue.Queue[http.client.HTTPResponse | Exception]") -> None:
    try:
        answers.put(urllib.request.urlopen(url, timeout=STALL_S))
    except Exception as error:  # handed to the waiting thread, which raises it
        answers.put(error)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
