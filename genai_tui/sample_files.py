"""What a run drew at a step, as files: one picture or text a sample, and a grid of all pictures."""

import os
from dataclasses import dataclass, field
from pathlib import Path

TEXT_BYTES = 1 << 16
"""A longer text is shown up to here."""
MOST = 1024
GRID = "grid.png"


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """The files of one folder of samples, in order. A run draws pictures or texts."""

    pictures: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    grid: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.pictures or self.texts or self.grid)


def find(run: Path, relative: str) -> SampleFiles:
    """The samples in a folder that a record names; none for a folder that is not the run's."""
    folder = run / relative
    if not relative or not _is_inside(folder, run):
        return SampleFiles()
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return SampleFiles()
    numbered = [name for name in names if name.partition(".")[0].isdecimal()][:MOST]
    return SampleFiles(
        pictures=[folder / name for name in numbered if name.endswith(".png")],
        texts=[folder / name for name in numbered if name.endswith(".txt")],
        grid=folder / GRID if GRID in names else None,
    )


def read_text(path: Path) -> str:
    """The text of one sample; what cannot be read says so in its place."""
    try:
        with path.open("rb") as file:
            data = file.read(TEXT_BYTES)
    except OSError as error:
        return f"({path.name} cannot be read: {error.strerror})"
    return data.decode("utf-8", errors="replace")


def _is_inside(folder: Path, run: Path) -> bool:
    return folder.resolve().is_relative_to(run.resolve())
