"""Whether the kernel killed for want of memory meanwhile: what a bare SIGKILL does not tell.

Standard library only, for the keeper's sake.
"""

import contextlib
import os
from pathlib import Path

NEAR = 0.8
"""A process that had so much of the memory there is died of it, if it was killed."""


class MemoryKills:
    """Counts such kills from its making on."""

    def __init__(self, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc, self._cgroups = proc, cgroups
        self._before = self._counts()

    def verdict(self, peak: int) -> str:
        """What to say of a SIGKILL of a process that had ``peak`` bytes; empty if nothing speaks
        for want of memory."""
        now = self._counts()
        own, host = (_grew(a, b) for a, b in zip(self._before, now, strict=True))
        had = f"it had {_gib(peak)} of {_gib(self.room())}"
        if own:
            return f"for want of memory: the kernel says so, and {had}"
        if host:
            return f"most likely for want of memory: the kernel killed for it meanwhile, and {had}"
        if self.room() and peak >= NEAR * self.room():
            return f"most likely for want of memory: {had}"
        return "" if any(count is not None for count in now) else "perhaps for want of memory"

    def room(self) -> int:
        """Bytes of memory that the process may have: the machine's, or its group's if less."""
        limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
        for folder in self._folders():
            for name in ("memory.max", "memory.limit_in_bytes"):
                with contextlib.suppress(OSError, ValueError):  # "max" is none
                    limits.append(int((folder / name).read_text()))
        return min(limits)

    def _counts(self) -> tuple[int | None, int | None]:
        """Kills in this process's group, and on the whole machine; None where nobody counts."""
        own = None
        for folder in self._folders():
            for name in ("memory.events", "memory.oom_control"):
                own = _count(folder / name) if own is None else own
        return own, _count(self._proc / "vmstat")

    def _folders(self) -> list[Path]:
        """Of this process's group, in either version; within a container it may seem the root."""
        found: list[Path] = []
        with contextlib.suppress(OSError):
            for line in (self._proc / "self/cgroup").read_text().splitlines():
                _, names, path = line.split(":", 2)
                if names in ("", "memory"):
                    root = self._cgroups / names
                    found += [root / path.lstrip("/"), root]
        return found


def _count(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _grew(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now > before


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
