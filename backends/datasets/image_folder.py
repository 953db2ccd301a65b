"""A folder of pictures of your own, of any format and size; sub-folders are classes."""

from dataclasses import dataclass
from pathlib import Path

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets._decoding import LookKnobs, decode, is_picture
from backends.datasets._files import (
    listing,
    regular_files,
    required,
    shown,
    shut_notice,
)
from backends.datasets._folders import (
    classes_of,
    classified,
    labels_of,
    loose_notice,
    skipped_notice,
    splits_notice,
)
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = True


@dataclass(frozen=True, kw_only=True)
class Config(LookKnobs):
    """Knobs of a folder of pictures."""


def fits(path: Path) -> bool:
    """Whether a picture lies in the folder ``path`` or below it."""
    return path.is_dir() and any(map(is_picture, regular_files(path)))


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Every picture below ``path``; the names of two or more sub-folders become classes."""
    folder = required(path, "a folder of pictures")
    found = listing(folder)
    pictures = [file for file in found.files if is_picture(file)]
    if not pictures:
        raise DataError(f"{shown(folder)} holds no picture: add some or give another folder")
    files = classified(folder, pictures)
    decoded = decode(files, config.look, folder)
    classes = classes_of(folder, decoded.files)
    notices = [
        loose_notice(folder, len(pictures) - len(files), "picture"),
        splits_notice(folder, classes),
        shut_notice(folder, found.shut),
        skipped_notice(folder, decoded.skipped),
    ]
    return image_dataset(
        decoded.pixels,
        labels_of(folder, decoded.files, classes),
        tuple(shown(name) for name in classes),
        where=shown(folder),
        validation=validation,
        flip=config.flip,
        notices=tuple(notice for notice in notices if notice),
    )
