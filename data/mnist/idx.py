"""An IDX file whose shape and content are known in advance (LeCun et al., the MNIST database page)."""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError

Split = Literal["train", "test"]
Bytes = NDArray[np.uint8]

_UNSIGNED_BYTE = 0x08  # the IDX code of the only element type read here
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16


@dataclass(frozen=True)
class IdxFile:
    """What one published file must contain.

    Attributes:
        name: file name without ".gz".
        split: the part of the data set it belongs to.
        shape: of the array in it, the first axis counting examples.
        sha256: of the array's bytes, that is of the decompressed file after its header.
    """

    name: str
    split: Split
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """Two zero bytes, the element type, the number of axes, and each axis as a big-endian uint32."""
        return struct.pack(f">HBB{len(self.shape)}I", 0, _UNSIGNED_BYTE, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        """Bytes of the decompressed file."""
        return len(self.header) + int(np.prod(self.shape))

    def decode(self, content: bytes, where: str) -> Bytes:
        """The array in a file's content, verified to be the published one.

        Args:
            content: of the file, plain or gzipped (recognised by its first bytes, not by its name).
            where: path or address, for the error.

        Returns:
            A read-only array of `shape`.

        Raises:
            DataError: anything differs; names `where` and both hashes.
        """
        body, fault = _gunzip(content, self.size) if content.startswith(_GZIP_MAGIC) else (content, "")
        start = len(self.header)
        found = _sha256(body[start:])
        fault = fault or self._fault(body)
        if fault or found != self.sha256:
            raise DataError(_mismatch(where, fault or "content altered", found, self.sha256))
        return np.frombuffer(body, np.uint8, offset=start).reshape(self.shape)

    def encode(self, array: Bytes) -> bytes:
        """The plain IDX file of an array of `shape`."""
        return self.header + array.tobytes()

    def check(self, array: Bytes, where: str) -> Bytes:
        """The array itself, if it is the published one.

        Raises:
            DataError: shape or content differs; names `where` and both hashes.
        """
        found = _sha256(array.tobytes())
        if array.shape != self.shape or found != self.sha256:
            raise DataError(_mismatch(where, f"not the array of {self.name}", found, self.sha256))
        return array

    def _fault(self, body: bytes) -> str:
        if len(body) < self.size:
            return f"truncated, {len(body)} of {self.size} bytes"
        if not body.startswith(self.header):
            return "wrong IDX header"
        return "too long" if len(body) > self.size else ""


def _gunzip(content: bytes, expected_size: int) -> tuple[bytes, str]:
    """The part of a gzip stream that can be decoded, and what is wrong with the stream ("" if nothing).

    Stops soon after `expected_size` bytes, so that a hostile stream cannot fill the memory.
    """
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: gzip framing, checksum included
    parts, size = [], 0
    for start in range(0, len(content), _CHUNK):
        try:
            parts.append(stream.decompress(content[start : start + _CHUNK]))
        except zlib.error:
            return b"".join(parts), "gzip stream damaged"
        size += len(parts[-1])
        if size > expected_size:
            return b"".join(parts), "too long"
    fault = "" if stream.eof else "gzip stream cut short"
    return b"".join(parts), "bytes after the gzip stream" if stream.unused_data else fault


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mismatch(where: str, fault: str, found: str, expected: str) -> str:
    return f"{where}: {fault}: SHA-256 of the decoded array is {found}, expected {expected}"
