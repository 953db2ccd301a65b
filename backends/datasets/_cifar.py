"""Reads CIFAR-10 and CIFAR-100 in their binary and python versions, and trusts none of them.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". The python version is
pickled: only numbers, texts, lists, dicts and arrays of bytes are built from it, and nothing runs.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from backends.data_error import DataError

PIXELS = 3 * 32 * 32
LARGEST = 2**28  # bytes of one file; the largest published one has 155 MB

Labels = Literal["fine", "coarse"]
Read = Callable[[str], bytes | None]
"""The bytes of a file of that name; None if there is none."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Cifar:
    """Pictures [N, 3, 32, 32], labels [N] and the names of the classes."""

    pixels: Bytes
    labels: Bytes
    classes: tuple[str, ...]


def is_cifar(there: Callable[[str], bool]) -> bool:
    """Whether files of these names are those of a CIFAR set."""
    return there("data_batch_1") or there("data_batch_1.bin") or _is_hundred(there)


def _is_hundred(there: Callable[[str], bool]) -> bool:
    binary = there("train.bin") and there("fine_label_names.txt")
    return binary or (there("train") and there("meta"))


def training_part(read: Read, labels: Labels, where: str) -> Cifar:
    """The training pictures; what is there decides between the sets and their versions.

    Raises:
        DataError: a file is missing, damaged or holds what it should not.
    """
    for parts, suffix, hundred in (
        ([f"data_batch_{i}" for i in range(1, 6)], "", False),
        ([f"data_batch_{i}" for i in range(1, 6)], ".bin", False),
        (["train"], "", True),
        (["train"], ".bin", True),
    ):
        if read(parts[0] + suffix) is not None:
            one = _pickled if not suffix else _binary
            found = [one(_required(read, part + suffix), labels, hundred) for part in parts]
            pixels = np.concatenate([part[0] for part in found])
            y = np.concatenate([part[1] for part in found])
            classes = _classes(read, labels, hundred, bool(suffix), int(y.max()) + 1)
            return Cifar(pixels, y, classes)
    raise DataError(f"{where} holds no CIFAR batch: it should hold data_batch_1 or train")


def _required(read: Read, name: str) -> "tuple[bytes, str]":
    data = read(name)
    if data is None:
        raise DataError(f"the CIFAR file {name} is missing: add it")
    return data, name


def _binary(file: tuple[bytes, str], labels: Labels, hundred: bool) -> tuple[Bytes, Bytes]:
    """Records of one label byte (two in CIFAR-100: coarse, fine) and 3,072 pixels."""
    data, name = file
    record = PIXELS + 1 + hundred
    if not data or len(data) % record:
        raise DataError(f"{name} is {len(data):,} bytes, no multiple of {record}: get it again")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    column = 1 if hundred and labels == "fine" else 0
    return rows[:, 1 + hundred :].reshape(-1, 3, 32, 32), rows[:, column]


def _pickled(file: tuple[bytes, str], labels: Labels, hundred: bool) -> tuple[Bytes, Bytes]:
    data, name = file
    told = unpickled(data, name)
    key = f"{labels}_labels" if hundred else "labels"
    pixels, y = told.get("data"), told.get(key)
    if not _are_pictures(pixels) or not _are_labels(y, len(cast("Bytes", pixels))):
        sentence = f"{name} does not hold {PIXELS:,} bytes and a label for each picture"
        raise DataError(f"{sentence}: get it again")
    return cast("Bytes", pixels).reshape(-1, 3, 32, 32), np.array(y, np.uint8)


def _are_pictures(pixels: object) -> bool:
    if not isinstance(pixels, np.ndarray):
        return False
    return pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.shape[1] == PIXELS


def _are_labels(y: object, count: int) -> bool:
    if not isinstance(y, list) or len(cast("list[Any]", y)) != count:
        return False
    return all(type(label) is int and 0 <= label < 256 for label in cast("list[Any]", y))


def _classes(
    read: Read, labels: Labels, hundred: bool, binary: bool, count: int
) -> tuple[str, ...]:
    """Names from the file that comes with the pictures; numbers where it is missing."""
    if binary:
        name = f"{labels}_label_names.txt" if hundred else "batches.meta.txt"
        names = (read(name) or b"").decode(errors="replace").split()
    else:
        name = "meta" if hundred else "batches.meta"
        data = read(name)
        found = unpickled(data, name) if data is not None else {}
        listed = found.get(f"{labels}_label_names" if hundred else "label_names")
        names = (
            [_text(one) for one in cast("list[Any]", listed)] if isinstance(listed, list) else []
        )
    return tuple(names) if len(names) >= count else tuple(str(i) for i in range(count))


def unpickled(data: bytes, name: str) -> Mapping[str, Any]:
    """The dict in a pickle, its keys as text.

    Raises:
        DataError: it is damaged, or asks for anything but plain values and arrays.
    """
    try:
        told = _Wary(io.BytesIO(data), encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise DataError(f"{name} cannot be read: {error}") from None
    except (EOFError, ImportError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise DataError(f"{name} is damaged ({type(error).__name__}): get it again") from None
    except (AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{name} is damaged ({type(error).__name__}): get it again") from None
    if not isinstance(told, dict):
        raise DataError(f"{name} does not hold a table of values: get it again")
    return {_text(key): value for key, value in cast("dict[Any, Any]", told).items()}


_ARRAY = object()
"""Stands for the class of arrays, which a pickle may name but not call."""


class _Wary(pickle.Unpickler):
    """Builds arrays and nothing else: whatever a pickle asks for by name is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        wanted = (module_name.replace("numpy._core", "numpy.core"), global_name)
        known = {
            ("numpy.core.multiarray", "_reconstruct"): _bytes_alone,
            ("numpy", "ndarray"): _ARRAY,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _latin,
        }
        if wanted not in known:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which data have no need of"
            )
        return known[wanted]


def _bytes_alone(kind: object, shape: object, code: object) -> NDArray[Any]:
    """An empty array, which the pickle then fills: never of a subclass."""
    if kind is not _ARRAY or shape != (0,):
        raise ValueError("no plain array")
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _latin(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(encoding)
    return text.encode("latin-1")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
