"""A folder with CIFAR-10 or CIFAR-100, in the binary or the python version."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import _cifar
from backends.datasets._files import gib, open_regular, required, shown
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = True


@dataclass(frozen=True, kw_only=True)
class Config:
    labels: Annotated[_cifar.Labels, "CIFAR-100 has 100 fine classes in 20 coarse ones"] = "fine"
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = True


def fits(path: Path) -> bool:
    """Whether ``path`` is a folder with the files of a CIFAR set."""
    return path.is_dir() and _cifar.is_cifar(lambda name: (path / name).is_file())


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The training pictures of the folder ``path``, split; its test batch is never read."""
    folder = required(path, "a folder with the CIFAR files")

    def read(name: str) -> bytes | None:
        return _read(folder / name) if (folder / name).is_file() else None

    found = _cifar.training_part(read, config.labels, shown(folder))
    return image_dataset(
        found.pixels,
        found.labels,
        found.classes,
        where=shown(folder),
        validation=validation,
        flip=config.flip,
    )


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(_cifar.LARGEST + 1)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror}") from None
    if len(data) > _cifar.LARGEST:
        raise DataError(f"{shown(path)} is larger than {gib(_cifar.LARGEST)}: it is no CIFAR file")
    return data
