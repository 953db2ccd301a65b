"""60,000 grey pictures of clothes, 28 x 28, ten classes: Fashion-MNIST, downloaded once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import _idx
from backends.datasets._download import cache_folder, download
from backends.datasets._fashion import CLASSES, IMAGES_SHA256, LABELS_SHA256
from backends.datasets._files import shown
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = False

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"  # it speaks no https
SYSTEM = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
SHA256 = {3: IMAGES_SHA256, 1: LABELS_SHA256}  # by the number of dimensions


@dataclass(frozen=True, kw_only=True)
class Config:
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False


@dataclass(frozen=True, slots=True)
class Files:
    """What one folder holds: pictures [N, H, W] and labels [N], both as published."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The published training part, split; its 10,000 test pictures are never read.

    Looks in ``path``, or else in the cache and the system's folder, and then downloads.
    """
    files = _search() if path is None else _verified(path)
    return image_dataset(
        files.images[:, None],
        files.labels,
        CLASSES,
        where="fashion-mnist",
        validation=validation,
        flip=config.flip,
    )


def _search() -> Files:
    cache = cache_folder("fashion-mnist")
    for folder in (cache, SYSTEM):
        if _idx.find(folder, _idx.IMAGES) and _idx.find(folder, _idx.LABELS):
            try:
                return _verified(folder)
            except DataError:  # damaged, so the next place is asked; a download replaces the cache
                continue
    return _downloaded(cache)


def _downloaded(cache: Path) -> Files:
    try:
        for name, dims in ((_idx.IMAGES[0], 3), (_idx.LABELS[0], 1)):
            download(f"{URL}{name}.gz", cache / f"{name}.gz", lambda part, d=dims: _check(part, d))
            (cache / name).unlink(missing_ok=True)  # an unpacked file would be read before it
    except DataError as error:
        remedy = "go online, give a folder with its IDX files, or train on fashion-mini"
        raise DataError(f"fashion-mnist is not on this machine and {error}: {remedy}") from None
    return _verified(cache)


def _verified(folder: Path) -> Files:
    images = _idx.train_images(folder)
    labels = _idx.train_labels(folder, len(images))
    for values in (images, labels):
        _compare(values, shown(folder))
    return Files(images, labels)


def _check(part: Path, dims: int) -> None:
    _compare(_idx.read(part, dims), "the download")


def _compare(values: NDArray[np.uint8], where: str) -> None:
    if _idx.digest(values) != SHA256[values.ndim]:
        what = "pictures" if values.ndim == 3 else "labels"
        raise DataError(f"the {what} in {where} are not those of Fashion-MNIST (SHA-256 differs)")
