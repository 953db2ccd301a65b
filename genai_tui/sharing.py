"""Lets others of the machine read a run, and no more: they can neither command nor change it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from genai_tui.errors import MISUSE
from genai_tui.regular import UNFOLLOWED
from genai_tui.run import Run, RunError

SHUT = ("control",)
"""Folders in which commands are left: nobody else's business."""
PASS = 0o011
"""Of the store: others may pass through to a run that they know the path of, and list nothing."""


def share(run: Run, group: int = -1) -> int:
    """Makes what is in a run's folder now readable for a group; how many files that are.

    Args:
        group: its number; -1 is the group that the folder has.

    Raises:
        RunError: it is somebody else's, or a file of it cannot be changed.
    """
    _own(run)
    root = run.path.parent
    try:
        count = sum(_open_up(path, group) for path in _inside(run.path))
        os.chmod(root, stat.S_IMODE(root.stat().st_mode) | PASS)
    except OSError as error:
        raise RunError(f"run {run.label} cannot be shared: {error.strerror}") from None
    return count


def unshare(run: Run) -> None:
    """Makes a run its owner's alone again.

    Raises:
        RunError: it is somebody else's, or a file of it cannot be changed.
    """
    _own(run)
    try:
        for path in _inside(run.path):
            _change(path, ~0o077)
    except OSError as error:
        raise RunError(f"run {run.label} cannot be shut: {error.strerror}") from None


def is_shared(run: Run) -> bool:
    """Whether others may look into it."""
    return bool(run.path.stat().st_mode & 0o077)


def _own(run: Run) -> None:
    if run.path.stat().st_uid != os.getuid():
        raise RunError(f"run {run.label} belongs to another user", status=MISUSE)


def _inside(folder: Path) -> Iterator[Path]:
    """The folder and all in it that is neither a link nor shut, the innermost first."""
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in SHUT]
        yield from (Path(parent, name) for name in files)
        yield Path(parent)


def _open_up(path: Path, group: int) -> bool:
    if path.is_symlink():
        return False
    is_folder = path.is_dir()
    if group >= 0:
        os.chown(path, -1, group, follow_symlinks=False)
    _change(path, ~0o037, 0o050 if is_folder else 0o040)
    return not is_folder


def _change(path: Path, keep: int, more: int = 0) -> None:
    if path.is_symlink():
        return
    fd = os.open(path, os.O_RDONLY | UNFOLLOWED)
    try:
        os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) & keep | more)
    finally:
        os.close(fd)
