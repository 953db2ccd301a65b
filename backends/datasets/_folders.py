"""What folders of files have in common: sub-folders are classes, and what was left out is named."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.datasets._files import counted, named, shown

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not be used."""

    path: Path
    reason: str


def class_of(folder: Path, file: Path) -> str:
    """The sub-folder of ``folder`` that holds ``file``; empty if none does."""
    parts = file.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def classes_of(folder: Path, files: list[Path]) -> list[str]:
    """The names of two or more sub-folders that hold ``files``; none if all lie in one."""
    classes = sorted({class_of(folder, file) for file in files} - {""})
    return classes if len(classes) > 1 else []


def classified(folder: Path, files: list[Path]) -> list[Path]:
    """Those in sub-folders, where sub-folders are classes; else all."""
    if not classes_of(folder, files):
        return files
    return [file for file in files if class_of(folder, file)]


def labels_of(folder: Path, files: list[Path], classes: list[str]) -> NDArray[np.int64] | None:
    """The class of each file as an index; None without classes."""
    if not classes:
        return None
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[class_of(folder, file)] for file in files])


# --------------------------------------------------------------------------- sentences


def why(skipped: list[Skipped]) -> str:
    """The first files that could not be used, each with its reason."""
    return named([f"{shown(skip.path.name)} ({skip.reason})" for skip in skipped])


def skipped_notice(folder: Path, skipped: list[Skipped]) -> str:
    """A sentence about files that could not be used; empty if there are none."""
    if not skipped:
        return ""
    return f"{counted(len(skipped), 'file')} of {shown(folder)} skipped: {why(skipped)}"


def loose_notice(folder: Path, count: int, noun: str) -> str:
    """A sentence about files that lie beside the class folders; empty if there are none."""
    beside = f"{counted(count, noun)} beside the class folders of {shown(folder)} left out"
    return beside if count else ""


def splits_notice(folder: Path, classes: list[str]) -> str:
    """A sentence where the classes look like "train" and "test"; else empty."""
    if not classes or not {name.lower() for name in classes} <= _SPLITS:
        return ""
    names = " and ".join(classes)
    inner = shown(folder / classes[-1])
    return f"{names} are taken as classes: give {inner} if the classes are folders inside it"
