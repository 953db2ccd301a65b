"""Lets others of the machine watch a run, and no more: they can neither command nor change it.

What is there is opened up here; what a training makes later is handed on by
:mod:`genai_tui.admission`. A run may be shared and shut while it trains.
"""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

from genai_tui.admission import SHARED, grant, shut
from genai_tui.errors import MISUSE, UserError
from genai_tui.regular import UNFOLLOWED
from genai_tui.renewal import renew
from genai_tui.run import Run, RunError
from genai_tui.visible import visible

SHUT = ("control", "keeper.lock", "worker.lock", "scores.lock")
"""Commands are nobody else's business, and whoever can open a lock can hold it."""
PASS = 0o011
"""Of the store: others may pass through to a run that they know the path of, and list nothing."""
MOST_PASSES = 50
"""Through a run whose files come and go."""

Change = Callable[[int, str], bool]
"""Changes an open file of that name; whether there was anything to change."""


def group_of(word: str) -> int:
    """The number of a group that its user may share with, by its name or number.

    Raises:
        UserError: there is none, or its user is not in it.
    """
    mine = {os.getegid(), *os.getgroups()}
    yours = ", ".join(name_of(group) for group in sorted(mine))
    if _is_number(word) and int(word) in mine:  # it may have no name, as in a container
        return int(word)
    try:
        found = grp.getgrgid(int(word)) if _is_number(word) else grp.getgrnam(word)
    except (KeyError, OverflowError, ValueError):
        sentence = f"there is no group {visible(word)!r} on this machine; yours: {yours}"
        raise UserError(sentence, status=MISUSE) from None
    if found.gr_gid in mine or os.geteuid() == 0:
        return found.gr_gid
    shown = visible(found.gr_name)
    sentence = f"you are not in the group {shown!r}; yours: {yours}"
    with contextlib.suppress(KeyError):  # a user without a name, as in a container
        if pwd.getpwuid(os.geteuid()).pw_name in found.gr_mem:
            sentence = f"you are in the group {shown!r} from your next login on: log in again"
    raise UserError(sentence, status=MISUSE)


def share(run: Run, group: int = -1) -> int:
    """Makes a run readable for a group, also what is made in it later; how many files there are.

    Args:
        group: its number; -1 is the group that the folder has.

    Raises:
        RunError: it is somebody else's, or a file of it cannot be changed.
    """
    _own(run)
    root = run.path.parent
    try:
        group = run.path.stat().st_gid if group < 0 else group
        count = _go_through(run.path, lambda fd, name: _open_up(fd, name, group))
        os.chmod(root, stat.S_IMODE(root.stat().st_mode) | PASS)
    except OSError as error:
        raise RunError(f"run {run.label} cannot be shared: {error.strerror}") from None
    return count


def unshare(run: Run) -> bool:
    """Makes a run its owner's alone again, also what is made in it later.

    Returns:
        False while somebody is at the run: who has its log open by then reads on in that.

    Raises:
        RunError: it is somebody else's, or a file of it cannot be changed.
    """
    _own(run)
    try:
        _go_through(run.path, lambda fd, name: shut(fd))
    except OSError as error:
        raise RunError(f"run {run.label} cannot be shut: {error.strerror}") from None
    try:
        return renew(run)
    except OSError as error:
        sentence = f"run {run.label} is yours alone, but who has its log open can read on in it"
        raise RunError(f"{sentence}: {error.strerror}") from None


def shared_with(run: Run) -> str:
    """The group that may look into it; empty if it is its owner's alone."""
    told = run.path.stat()
    return f"with the group {name_of(told.st_gid)}" if told.st_mode & SHARED == SHARED else ""


def barrier(run: Run) -> Path | None:
    """The folder on the way to a shared run through which its group cannot pass; None is good."""
    group = run.path.stat().st_gid
    for folder in run.path.resolve().parents:
        told = folder.stat()
        passes = stat.S_IXGRP if told.st_gid == group else stat.S_IXOTH
        if not told.st_mode & passes:
            return folder
    return None


def _own(run: Run) -> None:
    if run.path.stat().st_uid != os.getuid():
        raise RunError(f"run {run.label} belongs to another user", status=MISUSE)


def name_of(group: int) -> str:
    """What a group is called; its number where it has no name."""
    try:
        return visible(grp.getgrgid(group).gr_name)
    except KeyError:
        return str(group)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


# --------------------------------------------------------------------------- one file


def _open_up(fd: int, name: str, group: int) -> bool:
    if name in SHUT:
        return shut(fd)
    changed = grant(fd, group)
    told = os.fstat(fd)
    if stat.S_ISDIR(told.st_mode) and told.st_mode & SHARED != SHARED:
        # The kernel leaves set-gid away, without a word, where the owner is not in the group.
        raise PermissionError(0, f"you are not in its group {name_of(told.st_gid)}")
    return changed


# --------------------------------------------------------------------------- all of them


def _go_through(folder: Path, change: Change) -> int:
    """Changes a folder and all that is in it, also while a training makes more; counts its files.

    Each folder is changed before it is listed, so what is made in it later is as it should be. What
    was made before may get its name while it is looked for: so this looks until nothing is new.
    """
    files = 0
    for _ in range(MOST_PASSES):
        turn = _Pass(change)
        turn.change(os.fspath(folder), None)
        files = turn.files
        if not turn.news:
            break
    return files


class _Pass:
    """One way through all files of a folder. Links are not followed, not even on the way."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self.files = 0
        self.news = False

    def change(self, name: str, folder: int | None) -> None:
        """Changes what has that name in an open folder, and all that is in it."""
        try:
            fd = os.open(name, os.O_RDONLY | UNFOLLOWED, dir_fd=folder)
        except FileNotFoundError:
            self.news = True  # it has another name now, or is gone
            return
        try:
            self.news |= self._change(fd, name)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                self._enter(fd)
            else:
                self.files += 1
        finally:
            os.close(fd)

    def _enter(self, folder: int) -> None:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_plain(entry)]
        for name in sorted(names):
            self.change(name, folder)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
