"""Reads the IDX files of MNIST and its relatives, plain or gzipped, and trusts none of them."""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from backends.data_error import DataError
from backends.datasets._files import MEMORY, gib, open_regular, shown

_UNSIGNED_BYTE = 0x08
_SIDES = range(4, 1025)

IMAGES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte")
LABELS = ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte")


def find(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The file of ``folder`` that has one of ``names``, plain before gzipped."""
    candidates = [folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def train_images(folder: Path) -> NDArray[np.uint8]:
    """The training pictures [N, H, W] of ``folder``."""
    path = _found(folder, IMAGES)
    images = read(path, 3)
    if any(side not in _SIDES for side in images.shape[1:]):
        height, width = images.shape[1:]
        raise DataError(f"{shown(path)} has pictures of {height} x {width}, not 4 to 1024 a side")
    return images


def train_labels(folder: Path, count: int) -> NDArray[np.uint8]:
    """The ``count`` training labels [N] of ``folder``."""
    path = _found(folder, LABELS)
    labels = read(path, 1)
    if len(labels) != count:
        raise DataError(f"{shown(path)} has {len(labels):,} labels for {count:,} pictures")
    return labels


def read(path: Path, dims: int) -> NDArray[np.uint8]:
    """The array of ``dims`` dimensions in an IDX file of bytes.

    Raises:
        DataError: if the file is anything else, or has fewer or more bytes than it promises.
    """
    where = shown(path)
    try:
        with open_regular(path) as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return parse(gzip.GzipFile(fileobj=file) if packed else file, dims, where)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is not whole ({error}): get it again") from None
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from None


def parse(stream: BinaryIO | gzip.GzipFile, dims: int, where: str) -> NDArray[np.uint8]:
    """The array in ``stream``; ``where`` names it in errors."""
    magic = stream.read(4)
    if magic != _magic(dims):
        expected = _magic(dims).hex()
        raise DataError(f"{where} is no IDX file of {dims}-D bytes: {magic.hex()} for {expected}")
    sizes = stream.read(4 * dims)
    if len(sizes) < 4 * dims:
        raise DataError(f"{where} ends within its header: get it again")
    shape = struct.unpack(f">{dims}I", sizes)
    count = math.prod(shape)
    if not 0 < count <= MEMORY:
        raise DataError(f"{where} promises {gib(count)} in {shape}, not 1 byte to {gib(MEMORY)}")
    data = stream.read(count + 1)
    if len(data) != count:
        fault = "is cut off" if len(data) < count else "goes on"
        raise DataError(f"{where} {fault} after {min(len(data), count):,} bytes: get it again")
    return np.frombuffer(bytearray(data), np.uint8).reshape(shape)


def digest(values: NDArray[np.uint8]) -> str:
    """SHA-256 of the unpacked IDX file that holds ``values``."""
    hashed = hashlib.sha256(header(values))
    hashed.update(np.ascontiguousarray(values).data)
    return hashed.hexdigest()


def header(values: NDArray[np.uint8]) -> bytes:
    """What an IDX file says before its values."""
    return _magic(values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)


def _magic(dims: int) -> bytes:
    return bytes((0, 0, _UNSIGNED_BYTE, dims))


def _found(folder: Path, names: tuple[str, ...]) -> Path:
    path = find(folder, names)
    if path is None:
        raise DataError(f"{shown(folder)} has no file {names[0]} or {names[0]}.gz: add it")
    return path
