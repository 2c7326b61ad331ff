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
GIVE_UP_S = 4.0  # from the request to the first line of the response: name lookup, connection and TLS
STALL_S = 30.0  # without data in the middle of a download
_CHUNK = 1 << 16


def fetch_from_mirror(base: str, files: Sequence[IdxFile]) -> dict[str, Bytes]:
    """Download the gzipped files below an address that ends in a slash.

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
    """The content at an address; reading stops in the chunk that goes beyond `at_most` bytes.

    Raises:
        DataError: no response within GIVE_UP_S, an HTTP error, or a connection that was lost during the download.
    """
    response = _open(url)
    content = bytearray()
    try:
        with response:
            while len(content) <= at_most and (chunk := response.read(_CHUNK)):
                content += chunk
    except http.client.IncompleteRead as error:
        content += error.partial  # the caller's check reports the missing bytes
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: connection lost after {len(content)} bytes ({_reason(error)})") from error
    return bytes(content)


def _open(url: str) -> http.client.HTTPResponse:
    """Request an address and wait GIVE_UP_S at most.

    A socket's timeout does not cover name lookup and restarts with each address of a host, so a thread makes the
    request, and is abandoned if that takes too long.
    """
    responses: queue.Queue[http.client.HTTPResponse | Exception] = queue.Queue()
    threading.Thread(target=_request, args=(url, responses), daemon=True).start()
    try:
        response = responses.get(timeout=GIVE_UP_S)
    except queue.Empty:
        raise DataError(f"{url}: no answer within {GIVE_UP_S:g} s") from None
    if isinstance(response, Exception):
        raise DataError(f"{url}: {_reason(response)}") from response
    return response


def _request(url: str, responses: "queue.Queue[http.client.HTTPResponse | Exception]") -> None:
    try:
        responses.put(urllib.request.urlopen(url, timeout=STALL_S))
    except Exception as error:  # handed to the waiting thread, which raises it
        responses.put(error)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
