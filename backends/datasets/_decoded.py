"""The cache of decoded pictures: one memory-mapped file a folder and look, keyed by content.

An entry is named by the bytes of the pictures and how they are brought to one form, so a folder
that was moved, copied or touched is not decoded again, and one changed picture makes another entry.
A folder whose names, sizes and times are as they were is not even read.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.counting import counted
from backends.data_error import DataError
from backends.datasets._download import cache_folder
from backends.datasets._files import gib, open_regular, shown
from backends.datasets._folders import Skipped
from backends.datasets._pictures import BYTES, Look

KEEP = 20 * 2**30
"""Bytes that the cache may take; beyond that the entries that were not used for longest go."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pictures [N, C, S, S], the file of each, and the files that were skipped."""

    pixels: NDArray[np.uint8]
    files: list[Path]
    skipped: list[Skipped]


def root() -> Path:
    """Where the entries lie."""
    return cache_folder("decoded")


def key_of(files: Sequence[Path], look: Look, folder: Path) -> str:
    """The name of the entry for the pictures ``files`` below ``folder``."""
    names = [str(file.relative_to(folder)) for file in files]
    stamp = _hash([repr(look), str(folder), *map(_stamp, names, files)])
    known = root() / "stamps" / stamp
    with contextlib.suppress(OSError):
        return known.read_text()
    with ThreadPoolExecutor(2) as pool:
        digests = list(counted(pool.map(_digest, files), len(files)))
    key = _hash([str(_FORMAT), repr(look), *names, *digests])
    with contextlib.suppress(OSError):
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(key)
    return key


def find(key: str, files: Sequence[Path]) -> Decoded | None:
    """The entry ``key``, mapped into memory and not read; None if there is none that is whole."""
    entry = root() / key
    try:
        told = json.loads((entry / "entry.json").read_bytes())
        pixels = np.load(entry / "pixels.npy", mmap_mode="c")
        os.utime(entry)
        skipped = {int(index): str(reason) for index, reason in told["skipped"].items()}
        found = Decoded(
            pixels,
            [file for index, file in enumerate(files) if index not in skipped],
            [Skipped(files[index], reason) for index, reason in skipped.items()],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
    fits = pixels.dtype == np.uint8 and pixels.ndim == 4 and len(pixels) == len(found.files)
    return found if fits else None


@contextlib.contextmanager
def scratch(shape: tuple[int, ...]) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """A hidden folder of the cache with room for ``shape`` bytes, gone afterwards.

    Raises:
        OSError: the cache cannot be written, or the disk has no room for it.
    """
    root().mkdir(parents=True, exist_ok=True)
    need = int(np.prod(shape))
    if shutil.disk_usage(root()).free < 1.1 * need + 2**26:
        raise OSError(28, f"no room for {gib(need)} of decoded pictures", str(root()))
    folder = Path(tempfile.mkdtemp(prefix=".part-", dir=root()))
    try:
        kind = np.lib.format.open_memmap
        yield folder, kind(folder / "whole.npy", "w+", np.uint8, shape)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(key: str, decoded: Decoded, order: Sequence[Path], folder: Path) -> None:
    """Gives what was decoded into the scratch ``folder`` its name, whole or not at all."""
    index = {file: i for i, file in enumerate(order)}
    skipped = {index[skip.path]: skip.reason for skip in decoded.skipped}
    entry = folder / "entry"
    entry.mkdir()
    kept = np.lib.format.open_memmap(entry / "pixels.npy", "w+", np.uint8, decoded.pixels.shape)
    for begin in range(0, len(kept), 4096):
        kept[begin : begin + 4096] = decoded.pixels[begin : begin + 4096]
    kept.flush()
    (entry / "entry.json").write_text(json.dumps({"skipped": skipped}))
    shutil.rmtree(root() / key, ignore_errors=True)
    entry.rename(root() / key)
    _prune()


def _prune() -> None:
    entries = [entry for entry in root().iterdir() if (entry / "entry.json").is_file()]
    entries.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > KEEP and entry is not entries[0]:
            shutil.rmtree(entry, ignore_errors=True)


def _stamp(name: str, file: Path) -> str:
    try:
        told = file.stat(follow_symlinks=False)
    except OSError:
        return name
    return f"{name}/{told.st_size}/{told.st_mtime_ns}"


def _digest(file: Path) -> str:
    try:
        hashed = hashlib.blake2b()
        with open_regular(file, follow=False) as stream:
            if os.fstat(stream.fileno()).st_size > BYTES:
                return _stamp(shown(file.name), file)  # which will not be decoded
            while piece := stream.read(1 << 20):
                hashed.update(piece)
        return hashed.hexdigest()
    except (OSError, DataError):
        return f"unreadable {shown(file.name)}"


def _hash(words: Sequence[str]) -> str:
    text = "\0".join(words).encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
