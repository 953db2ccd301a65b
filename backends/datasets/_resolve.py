"""From what the user typed, a name or a path, to a data set that is ready to train on."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from backends.data import Dataset, Tokens
from backends.data_error import DataError
from backends.datasets import _entries
from backends.datasets._files import shown
from backends.knobs import configure, unknown

_NOUNS = {
    "image": "pictures",
    "text": "text",
    "audio": "sounds",
    "series": "columns of numbers",
    "pairs": "pairs of lines",
    "captions": "pictures with captions",
}
_WANTED = {
    "image": "a folder of pictures or of IDX files",
    "text": "a text file or a folder of .txt or .md files",
    "audio": "a folder of WAV, FLAC or OGG files",
    "series": "a CSV file",
    "pairs": "a TSV file of two columns",
    "captions": "a folder of pictures with a .txt of the same name or a metadata.jsonl beside them",
}


def load_dataset(
    name_or_path: str,
    modality: str,
    data_config: Mapping[str, object],
    validation: float,
    batch_size: int,
) -> Dataset:
    """The data set that ``name_or_path`` means, split, with at least a batch to train on.

    Raises:
        DataError: for data that do not exist, cannot be read, are of another modality or too few.
        ConfigError: for a knob of ``data_config`` that the data set lacks or a value it refuses.
    """
    name, path = resolve(name_or_path, modality)
    entry = _entries.entry(name)
    config = configure(entry.Config, data_config, owner=name)
    dataset = entry.load(config, path, validation)
    _check_count(dataset, name if path is None else shown(path), batch_size)
    return dataset


def resolve(name_or_path: str, modality: str) -> tuple[str, Path | None]:
    """The entry that ``name_or_path`` means, and its absolute path if it is one.

    An entry's name comes first: a folder of the same name is written ``./names``.

    Raises:
        DataError: if it is neither, or is of another modality than ``modality``.
    """
    for name in (name_or_path, name_or_path.replace("_", "-")):
        if name in _entries.names():
            return _entry_of(name, modality), None
    path = _path(name_or_path)
    mode = _mode(path)
    if mode is None:
        raise DataError(_nothing(shown(name_or_path)))
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise DataError(f"{shown(path)} is neither a file nor a folder: give one that holds data")
    if _is_empty(path, mode):
        raise DataError(f"{shown(path)} is empty: give {_WANTED[modality]}")
    return _kind(path, modality), path


def _is_empty(path: Path, mode: int) -> bool:
    try:
        return not any(path.iterdir()) if stat.S_ISDIR(mode) else not path.stat().st_size
    except OSError:  # what reads it says why it cannot
        return False


def _nothing(typed: str) -> str:
    if "/" in typed:
        return f"{typed} does not exist: give a path that does, or a data set's name"
    return f"{unknown('data set', typed, _entries.names())} (and no path of that name exists)"


def _entry_of(name: str, modality: str) -> str:
    holds = _modality(name)
    if holds != modality:
        there = [own for own in _entries.own() if _modality(own) == modality]
        there.sort(key=lambda own: not _entries.entry(own).EMBEDDED)
        fitting = ", ".join(there[:4])
        other = f"{name} holds {_NOUNS[holds]}, but the model learns {_NOUNS[modality]}"
        raise DataError(f"{other}: use one of {fitting}")
    return name


def _modality(name: str) -> str:
    return _entries.entry(name).MODALITY


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # "~somebody" who has no home here
        return Path(text).absolute()


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None


def _kind(path: Path, modality: str) -> str:
    """The kind of folder or file that ``path`` is; of two kinds that fit, the first by name."""
    kinds = _entries.kinds()
    holds = {name: kind.MODALITY for name, kind in kinds.items()}
    for name in sorted(kinds, key=lambda name: holds[name] != modality):
        if kinds[name].fits(path):
            if holds[name] == modality:
                return name
            other = f"{shown(path)} holds {_NOUNS[holds[name]]}, but the model learns"
            raise DataError(f"{other} {_NOUNS[modality]}: give {_WANTED[modality]}")
    raise DataError(f"{shown(path)} is not {_WANTED[modality]}: give the path of one")


def _check_count(dataset: Dataset, where: str, batch_size: int) -> None:
    count = len(dataset.train)
    if count < batch_size:
        remedy = "lower batch_size or add data"
        if isinstance(dataset.train, Tokens):
            remedy = "lower batch_size or context, or add text"
        few = f"{where} has {count:,} training items, fewer than batch_size {batch_size:,}"
        raise DataError(f"{few}: {remedy}")
