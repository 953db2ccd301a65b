"""A folder of pictures with captions: name.txt beside name.jpg, or a metadata.jsonl for all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets._captions import captioned_dataset
from backends.datasets._decoding import LookKnobs, decode, is_picture
from backends.datasets._files import (
    Listing,
    counted,
    listing,
    named,
    open_regular,
    regular_files,
    required,
    shown,
    shut_notice,
)
from backends.datasets._folders import skipped_notice
from backends.knobs import Bounds

MODALITY = "captions"
EMBEDDED = False
NEEDS_PATH = True

METADATA = "metadata.jsonl"
_LONGEST, _LARGEST = 1 << 14, 1 << 28  # bytes of a caption, and of a metadata.jsonl


@dataclass(frozen=True, kw_only=True)
class Config(LookKnobs):
    """Knobs of a folder of pictures with captions."""

    tokens: Annotated[int, "words of a caption that the model sees", Bounds(4, 64, "words")] = 16


def fits(path: Path) -> bool:
    """Whether ``path`` is a folder with a metadata.jsonl, or a picture and its caption."""
    if not path.is_dir():
        return False
    if (path / METADATA).is_file():
        return True
    return any(is_picture(f) and f.with_suffix(".txt").is_file() for f in regular_files(path))


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Every picture below ``path`` that has a caption; those without are left out and named."""
    folder = required(path, "a folder of pictures with captions")
    found = listing(folder)
    pictures = [file for file in found.files if is_picture(file)]
    captions, notices = _captions(folder, found)
    told = [file for file in pictures if captions.get(file)]
    if not told:
        where = f"none of the {counted(len(pictures), 'picture')} in {shown(folder)} has a caption"
        raise DataError(f"{where}: put name.txt beside name.jpg, or a {METADATA} into the folder")
    decoded = decode(told, config.look, folder)
    notices += [
        _without(folder, [file for file in pictures if not captions.get(file)]),
        shut_notice(folder, found.shut),
        skipped_notice(folder, decoded.skipped),
    ]
    return captioned_dataset(
        torch.from_numpy(np.ascontiguousarray(decoded.pixels)),
        [captions[file] for file in decoded.files],
        where=shown(folder),
        validation=validation,
        tokens=config.tokens,
        flip=config.flip,
        notices=tuple(notice for notice in notices if notice),
    )


def _captions(folder: Path, found: Listing) -> tuple[dict[Path, list[str]], list[str]]:
    """The captions of each picture, and sentences on what could not be read."""
    told: dict[Path, list[str]] = {}
    bad: list[str] = []
    metadata = folder / METADATA
    if metadata in found.files:
        for number, line in enumerate(_read(metadata, _LARGEST).splitlines(), 1):
            pair = _pair(line) if line.strip() else None
            if pair is not None:
                told.setdefault(folder / pair[0], []).append(pair[1])
            elif line.strip():
                bad.append(f"line {number:,}")
    beside = {file.with_suffix(""): file for file in found.files if file.suffix.lower() == ".txt"}
    for picture in filter(is_picture, found.files):
        text = beside.get(picture.with_suffix(""))
        if text is not None:
            lines = _read(text, _LONGEST).splitlines()
            told[picture] = [line.strip() for line in lines if line.strip()]
    sentence = f"{counted(len(bad), 'line')} of {shown(metadata)} not understood: {named(bad)}"
    return told, [sentence] if bad else []


def _pair(line: str) -> tuple[str, str] | None:
    """(file_name, text) of a line as Hugging Face's imagefolder has it."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    row = cast("dict[str, Any]", told)
    name, text = row.get("file_name"), row.get("text", row.get("caption"))
    if not isinstance(name, str) or not isinstance(text, str) or not name or "\0" in name:
        return None
    return name, text


def _read(file: Path, most: int) -> str:
    try:
        with open_regular(file, follow=False) as stream:
            return stream.read(most).decode(errors="replace")
    except OSError as error:
        raise DataError(f"{shown(file)} cannot be read: {error.strerror}") from None


def _without(folder: Path, files: list[Path]) -> str:
    if not files:
        return ""
    names = named([shown(file.name) for file in files])
    what = f"{counted(len(files), 'picture')} of {shown(folder)} without a caption left out"
    return f"{what}: {names}"
