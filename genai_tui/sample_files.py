"""What a run drew at its steps, as files: pictures, texts, sounds or tables, one a sample.

A folder of samples may come from anybody, so nothing in it is followed out of it: links are not
files here, names are numbers, and what is read has a limit.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct, field

from backends.records import UNREADABLE, SampleRequest
from genai_tui.regular import opened

TEXT_BYTES = 1 << 16
"""A longer text is shown up to here."""
TOLD_BYTES = 1 << 22
"""A longer ``request.json`` is none."""
MOST = 1024
LARGEST_STEP = 2**53
FOLDER = "samples"
GRID = "grid.png"
TOLD = "request.json"


class SampleFiles(Struct, frozen=True):
    """The files of one folder of samples, in order. A run draws one kind of them."""

    pictures: list[Path] = field(default_factory=list[Path])
    texts: list[Path] = field(default_factory=list[Path])
    sounds: list[Path] = field(default_factory=list[Path])
    tables: list[Path] = field(default_factory=list[Path])
    grid: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.pictures or self.texts or self.sounds or self.grid)

    @property
    def kind(self) -> str:
        """What was drawn: "image", "text", "audio" or "series"; empty where nothing is."""
        if self.sounds:
            return "audio"
        if self.tables:
            return "series"
        return "text" if self.texts else "image" if self else ""

    @property
    def each(self) -> list[Path]:
        """One file a sample, the one that a user would take away."""
        return self.sounds or self.tables or self.texts or self.pictures


class Drawn(Struct, frozen=True):
    """One sample step of a run.

    Attributes:
        relative: its folder, relative to the run's.
        asked: whether a command asked for it, rather than the run's own schedule.
        t: when it was drawn, in seconds since the epoch.
    """

    step: int
    relative: str
    asked: bool = False
    t: float = 0.0


class Told(msgspec.Struct, frozen=True):
    """``request.json``: what was asked, and for which class or text each sample was drawn."""

    request: SampleRequest = SampleRequest()
    labels: list[int] = []
    captions: list[str] = []


def find(run: Path, relative: str) -> SampleFiles:
    """The samples in a folder that a record names; none for a folder that is not the run's."""
    folder = run / relative
    if not relative or not _is_inside(folder, run):
        return SampleFiles()
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError:
        return SampleFiles()
    numbered = [name for name in names if name.partition(".")[0].isdecimal()]

    def ending(suffix: str) -> list[Path]:
        return [folder / name for name in numbered if name.endswith(suffix)][:MOST]

    return SampleFiles(
        pictures=ending(".png"),
        texts=ending(".txt"),
        sounds=ending(".wav"),
        tables=ending(".csv"),
        grid=folder / GRID if GRID in names else None,
    )


def listing(run: Path) -> list[Drawn]:
    """Every sample step on disk, oldest first; those that were asked for after those that were due.

    A resumed run draws the steps beyond its checkpoint again, and the same: until it has, the ones
    of the attempt before stand for them.
    """
    try:
        with os.scandir(run / FOLDER) as entries:
            found = [drawn for entry in entries if (drawn := _drawn(entry)) is not None]
    except OSError:
        return []
    return sorted(found, key=lambda one: (one.step, one.asked, one.relative))


def told(run: Path, relative: str) -> Told:
    """What ``request.json`` says; nothing where it is missing, damaged, or not the run's."""
    path = run / relative / TOLD
    if not relative or not _is_inside(path, run):
        return Told()
    try:
        with opened(path) as file:
            return _decode_told(file.read(TOLD_BYTES))
    except (OSError, *UNREADABLE):
        return Told()


def label_of(told: Told, index: int, classes: Sequence[str]) -> str:
    """The class of a sample by name, where the name is known; empty where there are no classes."""
    labels = told.labels or told.request.labels or []
    if not labels:
        return ""
    label = labels[index % len(labels)]
    return classes[label] if 0 <= label < len(classes) else f"class {label}"


def folder_of(path: str) -> str:
    """The folder that a record names, without any way out of the run's own; else nothing."""
    pure = PurePosixPath(path)
    return "" if pure.is_absolute() or ".." in pure.parts else str(pure)


def read_text(path: Path) -> str:
    """The text of one sample; what cannot be read says so in its place."""
    try:
        with opened(path) as file:
            data = file.read(TEXT_BYTES)
    except OSError as error:
        return f"({path.name} cannot be read: {error.strerror})"
    return data.decode("utf-8", errors="replace")


_decode_told = msgspec.json.Decoder(Told).decode


def _drawn(entry: os.DirEntry[str]) -> Drawn | None:
    head, _, rest = entry.name.partition("-")
    digits, _, command = rest.partition("-")
    if head != "step" or not (digits.isascii() and digits.isdecimal()):
        return None
    step = int(digits)
    if step >= LARGEST_STEP or not entry.is_dir(follow_symlinks=False):
        return None
    t = entry.stat(follow_symlinks=False).st_mtime
    return Drawn(step, f"{FOLDER}/{entry.name}", bool(command), t)


def _is_inside(folder: Path, run: Path) -> bool:
    try:
        return folder.resolve().is_relative_to(run.resolve())
    except (OSError, ValueError):  # a name that no file can have
        return False
