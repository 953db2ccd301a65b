"""The store of runs: who may read it, what is left over there, whether the next checkpoints fit."""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from genai_tui import amounts
from genai_tui.command_line import in_store
from genai_tui.doctor.finding import Finding, fail, ok, warn
from genai_tui.import_folder import abandoned
from genai_tui.store import LIVE, Summary

LEFT_OVER = (".tmp-*", ".del-*", "*/checkpoints/.tmp-*", "*/checkpoints/.del-*")
LEAST_BYTES = 1 << 30
SHOWN = 3


def permissions(root: Path) -> Finding:
    """Whether the store is ours, is a folder and is shut to others."""
    try:
        found = root.lstat()
    except FileNotFoundError:
        return ok("store", f"{root} is made by the first run")
    except OSError as error:
        return fail("store", f"{root}: {error.strerror}", "choose another folder with --runs")
    if not stat.S_ISDIR(found.st_mode) and not root.is_dir():
        return fail("store", f"{root} is no folder", "choose another folder with --runs")
    if root.stat().st_uid != os.getuid():
        remedy = "choose a folder of your own with --runs"
        return warn("store", f"{root} belongs to another user", remedy)
    if not os.access(root, os.W_OK | os.X_OK):
        return fail("store", f"{root} cannot be written", f"chmod u+rwx {root}")
    shut = not stat.S_IMODE(root.stat().st_mode) & 0o066  # passing through shows nothing
    if shut:
        return ok("store", f"{root}, for its owner alone")
    return warn("store", f"others may look into {root}", f"chmod 700 {root}")


def disk(root: Path, runs: Sequence[Summary]) -> Finding:
    """Whether the checkpoints that live runs will keep still fit."""
    folder = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    wanted = max(LEAST_BYTES, sum(_to_come(root / run.id) for run in runs if run.state in LIVE))
    told = f"{amounts.size(free)} free, checkpoints to come may take {amounts.size(wanted)}"
    if free >= wanted:
        return ok("disk", f"{amounts.size(free)} free")
    return warn("disk", told, "delete runs (d), or lower keep_checkpoints")


def _to_come(run: Path) -> int:
    """Bytes of one more checkpoint of the size of the largest: the old goes after the new."""
    sizes = [_size(path) for path in run.glob("checkpoints/step-*")]
    return max(sizes, default=0)


def _size(folder: Path) -> int:
    try:
        return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())
    except OSError:
        return 0


def leftovers(root: Path, runs: Sequence[Summary]) -> Finding:
    """What an interrupted save or deletion has left, in runs that nobody is at."""
    live = {run.id for run in runs if run.state in LIVE}
    found = [path for pattern in LEFT_OVER for path in root.glob(pattern)]
    idle = [path for path in found if path.relative_to(root).parts[0] not in live]
    if not idle:
        return ok("leftovers", "none")
    told = _half_made(idle, root)
    return warn("leftovers", told, "a resume sweeps those of its run; the rest may be deleted")


def imports(*folders: Path) -> Iterator[Finding]:
    """What killed imports have left in some folders; nothing where there is nothing."""
    for folder in dict.fromkeys(folders):
        left = abandoned(folder)
        if left:
            told = f"{_half_made(left, folder)} in {folder}"
            yield warn("imports", told, "the next import to there sweeps them; they may be deleted")


def _half_made(found: Sequence[Path], root: Path) -> str:
    """How many folders, how large together, and the first by name."""
    shown = ", ".join(str(path.relative_to(root)) for path in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    size = amounts.size(sum(map(_size, found)))
    return f"{len(found)} half-made folder{'s' * (len(found) > 1)}, {size}: {shown}{more}"


def states(runs: Sequence[Summary], root: Path) -> Iterator[Finding]:
    """Runs that wait for somebody."""
    interrupted = [run.name for run in runs if run.state == "interrupted"]
    broken = [run.id for run in runs if run.state == "broken"]
    yield ok("runs", f"{len(runs):,}, of which {sum(run.state in LIVE for run in runs):,} go on")
    if interrupted:
        remedy = in_store("genai-tui resume --interrupted", root)
        yield warn("interrupted", _few(interrupted), remedy)
    if broken:
        yield warn("broken", _few(broken), f"{in_store('genai-tui show RUN', root)} says why")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: {', '.join(names[:SHOWN])}{more}"
