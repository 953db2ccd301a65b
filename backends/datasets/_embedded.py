"""Reads the small real sets that ship with the package; see embedded/LICENSES.md."""

import io
import lzma
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from backends.data_error import DataError


def array(name: str) -> NDArray[np.uint8]:
    """The array kept in ``embedded/<name>.npy.xz``."""
    return np.load(io.BytesIO(_unpacked(f"{name}.npy.xz")), allow_pickle=False)


def text(name: str) -> str:
    """The text kept in ``embedded/<name>.txt.xz``."""
    return _unpacked(f"{name}.txt.xz").decode()


def raw(name: str) -> bytes:
    """The bytes kept in ``embedded/<name>.xz``."""
    return _unpacked(f"{name}.xz")


def _unpacked(file: str) -> bytes:
    try:
        return lzma.decompress(files("backends.datasets").joinpath("embedded", file).read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"the embedded {file} is damaged ({error}): install again") from None
