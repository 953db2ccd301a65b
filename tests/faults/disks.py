"""Disks of the tests' own: a small file system in memory, filled up to the byte."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096


class Disk:
    """A mounted file system with a file that takes the room that a test does not leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / ".ballast"

    @property
    def free(self) -> int:
        """Bytes that can be written."""
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_bsize

    def leave(self, free: int) -> None:
        """Fills the disk until there are ``free`` bytes, rounded up to a page."""
        self.make_room()
        fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        size = self.free - free
        if size > 0:
            os.posix_fallocate(fd, 0, size)
        os.close(fd)

    def make_room(self) -> None:
        """As its user would."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MiB."""
    root = tmp_path / "disk"
    root.mkdir()
    options = ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(root)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be had here: {mounted.stderr.strip()}")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)
