"""IDX files: what is read, and every way in which one can be damaged."""

import gzip
import hashlib

import numpy as np
import pytest

from data.errors import DataError
from data.mnist.idx import IdxFile

ARRAY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4])
PLAIN = HEADER + bytes(range(24))
PACKED = gzip.compress(PLAIN, mtime=0)  # with the time of day in it, tests would have another name every second
EXPECTED = hashlib.sha256(bytes(range(24))).hexdigest()
FILE = IdxFile("tiny", "train", (2, 3, 4), EXPECTED)


def found(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("content", [PLAIN, PACKED], ids=["plain", "gzipped"])
def test_decodes_a_file_written_by_hand(content: bytes) -> None:
    array = FILE.decode(content, "here")
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, ARRAY)


def test_encodes_as_published() -> None:
    assert FILE.encode(ARRAY) == PLAIN
    assert FILE.size == len(PLAIN) == 40
    labels = IdxFile("labels", "test", (300,), "")
    assert labels.header == bytes([0, 0, 8, 1, 0, 0, 1, 44])


@pytest.mark.parametrize(
    ("content", "fault", "payload"),
    [
        (b"", "truncated, 0 of 40 bytes", b""),
        (PLAIN[:10], "truncated, 10 of 40 bytes", b""),
        (PLAIN[:-1], "truncated, 39 of 40 bytes", PLAIN[16:-1]),
        (PLAIN + b"!", "too long", PLAIN[16:] + b"!"),
        (b"\0\0\x0d\x03" + PLAIN[4:], "wrong IDX header", PLAIN[16:]),
        (PLAIN[:7] + b"\x03" + PLAIN[8:], "wrong IDX header", PLAIN[16:]),
        (PLAIN[:-1] + b"!", "content altered", PLAIN[16:-1] + b"!"),
        (gzip.compress(PLAIN[:-1], mtime=0), "truncated, 39 of 40 bytes", PLAIN[16:-1]),
        (gzip.compress(PLAIN[:-1] + b"!", mtime=0), "content altered", PLAIN[16:-1] + b"!"),
        (PACKED[:-4], "gzip stream cut short", PLAIN[16:]),
        (PACKED[:11], "gzip stream cut short", b""),
        (PACKED[:-8] + b"crc!" + PACKED[-4:], "gzip stream damaged", b""),
        (PACKED + b"!", "bytes after the gzip stream", PLAIN[16:]),
    ],
)
def test_damage_names_the_file_and_both_hashes(content: bytes, fault: str, payload: bytes) -> None:
    with pytest.raises(DataError) as caught:
        FILE.decode(content, "/some/file")
    assert str(caught.value) == (
        f"/some/file: {fault}: SHA-256 of the decoded array is {found(payload)}, expected {EXPECTED}"
    )


def test_damage_in_the_middle_of_a_large_stream_still_gives_a_hash() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8)
    file = IdxFile("noise", "train", (300_000,), found(noise.tobytes()))
    packed = bytearray(gzip.compress(file.encode(noise), 1))
    np.testing.assert_array_equal(file.decode(bytes(packed), "here"), noise)
    packed[200_000:200_100] = bytes(100)
    with pytest.raises(DataError, match=rf"gzip stream damaged.* is [0-9a-f]{{64}}, expected {file.sha256}"):
        file.decode(bytes(packed), "here")


def test_a_gzip_bomb_is_not_unpacked() -> None:
    zeros = bytes(150_000_000)
    bomb = gzip.compress(HEADER + zeros, 1)
    with pytest.raises(DataError) as caught:
        FILE.decode(bomb, "here")
    assert "too long" in str(caught.value)
    assert found(zeros) not in str(caught.value)  # the hash of all of it would need all of it


def test_check_lets_only_the_published_array_through() -> None:
    assert FILE.check(ARRAY, "here") is ARRAY
    for wrong in (ARRAY + 1, ARRAY.reshape(24)):
        with pytest.raises(DataError, match=f"^here: .*{found(wrong.tobytes())}, expected {EXPECTED}"):
            FILE.check(wrong, "here")
