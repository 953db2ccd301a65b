"""Files that are replaced whole: a reader finds the old content or the new, nothing between."""

import contextlib
import os
from pathlib import Path

from genai_tui.admission import create


def write_atomic(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replaces a file, so that a reader finds the old content or the new and nothing between.

    What is ``durable`` survives a power cut right after.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    fd = create(hidden, os.O_WRONLY | os.O_TRUNC)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(fd)
        os.replace(hidden, path)
        if durable:
            sync_folder(path.parent)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Removes what writers of ``path`` left that were killed. Only while there is no other one."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def sync_folder(path: Path) -> None:
    """A new name in ``path`` survives a power cut, where the file system can promise that."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
