"""Which processes there are, as the kernel tells it."""

import os
from pathlib import Path


def naming(path: Path, module: str) -> list[int]:
    """Pids of the processes of genai-tui's ``module`` that have ``path`` among their arguments."""
    ours = (pid for pid in _all() if str(path) in _words(pid))
    return [pid for pid in ours if any(word.endswith(f".{module}") for word in _words(pid))]


def given(*words: str) -> list[int]:
    """Pids of the processes that have all of ``words`` among their arguments, without those that
    they have forked, which look alike."""
    found = [pid for pid in _all() if set(words) <= set(_words(pid))]
    return [pid for pid in found if _parent(pid) not in found]


def has_drawn(pid: int, least: int = 10_000) -> bool:
    """Whether a process has written so many bytes to whatever it writes to."""
    try:
        told = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return False
    return int(dict(line.split(": ") for line in told.splitlines())["wchar"]) >= least


def below(pid: int) -> list[int]:
    """All descendants of a process."""
    parents: dict[int, list[int]] = {}
    for child in _all():
        parents.setdefault(_parent(child), []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    user, system = stat[stat.rfind(b")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _all() -> list[int]:
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in found if pid != os.getpid()]


def _words(pid: int) -> list[str]:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(stat[stat.rfind(b")") + 2 :].split()[1])
