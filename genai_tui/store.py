"""The store of runs: a folder a run, of plain files in open formats."""

import difflib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from backends import records
from backends.records import RunSpec
from genai_tui import annotations
from genai_tui.atomic import sync_folder, write_atomic
from genai_tui.errors import MISUSE
from genai_tui.run import FLEETING, LIVE, TRAINING, Liveness, Run, RunError, Seen, Summary
from genai_tui.visible import slug, visible

__all__ = [
    "LIVE",
    "TRAINING",
    "Liveness",
    "Run",
    "RunError",
    "Seen",
    "Store",
    "Summary",
    "write_atomic",
]

SECOND = len("20261122-101530")
NO_FILE = (0, 0)
Stamp = tuple[tuple[int, int], tuple[int, int]]
"""Times and identities of a run's status and annotation: what its summary is made from."""


class Store:
    """All runs below one folder."""

    def __init__(self, root: Path, given: Sequence[Run] = ()) -> None:
        """``given`` are runs that are known by their paths, where a store of others lists none."""
        self.root, self._given = root, given
        self._known: dict[str, tuple[Stamp, Summary]] = {}

    def runs(self) -> list[Run]:
        """Every run, newest first.

        Raises:
            RunError: the store cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                names = [entry.name for entry in entries if _is_run(entry)]
        except FileNotFoundError:
            return []
        except PermissionError as error:
            if self._given:
                return list(self._given)
            sentence = f"the store {self.root} cannot be read: {error.strerror}"
            raise RunError(f"{sentence}; a run in it that is shared opens by its path") from None
        except OSError as error:
            raise RunError(f"the store {self.root} cannot be read: {error.strerror}") from None
        return [Run(self.root / name) for name in sorted(names, reverse=True)]

    def summaries(self) -> list[Summary]:
        """A summary a run, newest first. Runs that have not changed are not read again."""
        found: dict[str, tuple[Stamp, Summary]] = {}
        root = os.fspath(self.root)
        for run in self.runs():
            path = (
                f"{root}/{run.id}"  # joined by hand: thousands of Paths would take most of the time
            )
            stamp = (_stamp(f"{path}/status.json"), _stamp(f"{path}/{annotations.FILE}"))
            known = self._known.get(run.id)
            if known is None or known[0] != stamp or known[1].state in FLEETING:
                known = (stamp, run.summary(annotated=stamp[1] != NO_FILE))
            found[run.id] = known
        self._known = found
        summaries = [summary for _, summary in found.values()]
        return sorted(summaries, key=_moment, reverse=True)

    def run(self, reference: str) -> Run:
        """The run with that id, unique prefix of an id, or name; "latest" is the newest.

        Raises:
            RunError: there is none, naming the nearest, or there are several.
        """
        runs = self.runs()
        if not runs:
            sentence = f"there are no runs in {self.root}; start one with: genai-tui demo"
            raise RunError(sentence, status=MISUSE)
        if reference == "latest":
            return runs[0]
        for found in (
            [run for run in runs if run.id == reference],
            [run for run in runs if run.label == reference],
            [run for run in runs if reference and run.id.startswith(reference)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(run.id for run in found[:5])
                sentence = f"{visible(reference)!r} means {len(found)} runs: {names}"
                raise RunError(sentence, status=MISUSE)
        raise RunError(_no_such_run(reference, runs), status=MISUSE)

    def create(self, spec: RunSpec, fill: Callable[[Path], None] = lambda _: None) -> Run:
        """Makes the folder of a run that nobody has started.

        Args:
            fill: puts what else the run begins with into its folder.

        Raises:
            RunError: the store cannot be written.
        """
        path = self.root / spec.id
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            _fill(path, spec, fill)
            sync_folder(self.root)
        except OSError as error:
            raise RunError(
                f"the store {self.root} cannot be written ({error.strerror}); choose another with "
                "--runs or GENAI_TUI_RUNS"
            ) from None
        return Run(path)

    def new_id(self, model: str) -> str:
        """A sortable, readable id that no run has."""
        import secrets  # slow to load, and most who look at runs make none

        stamp = time.strftime("%Y%m%d-%H%M%S")
        alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
        ending = "".join(secrets.choice(alphabet) for _ in range(4))
        return f"{stamp}-{slug(model)}-{ending}"


def _fill(path: Path, spec: RunSpec, fill: Callable[[Path], None]) -> None:
    try:
        for name in ("samples", "checkpoints", "control"):
            (path / name).mkdir(mode=0o700)
        fill(path)
        document = msgspec.json.format(records.encode(spec))
        write_atomic(path / "run.json", document, durable=True)
    except (OSError, RunError):
        shutil.rmtree(path, ignore_errors=True)
        raise


def _is_run(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _moment(run: Summary) -> tuple[str, float, str]:
    """By its id, which tells the second; runs of one second by the exact time."""
    return run.id[:SECOND], run.created, run.id


def _stamp(path: str) -> tuple[int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return NO_FILE
    return (stat.st_mtime_ns, stat.st_ino)


def _no_such_run(reference: str, runs: list[Run]) -> str:
    names = [run.label for run in runs] + [run.id for run in runs]
    near = difflib.get_close_matches(reference, names, n=3, cutoff=0.4) or names[:3]
    return f"no run {visible(reference)!r}; the nearest are {', '.join(near)}"
