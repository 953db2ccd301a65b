"""A folder of IDX files, as MNIST and its relatives come: train-images-idx3-ubyte and labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from backends.data import Dataset
from backends.datasets import _idx
from backends.datasets._fashion import CLASSES, LABELS_SHA256
from backends.datasets._files import required, shown
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = True


@dataclass(frozen=True, kw_only=True)
class Config:
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False


def fits(path: Path) -> bool:
    """Whether ``path`` is a folder with training pictures in an IDX file."""
    return _idx.find(path, _idx.IMAGES) is not None


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The training files of the folder ``path``, split; its test files are never read."""
    folder = required(path, "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte")
    images = _idx.train_images(folder)
    labels = _idx.train_labels(folder, len(images))
    return image_dataset(
        images[:, None],
        labels,
        _classes(labels),
        where=shown(folder),
        validation=validation,
        flip=config.flip,
    )


def _classes(labels: NDArray[np.uint8]) -> tuple[str, ...]:
    """IDX files hold no names: those of Fashion-MNIST are known by its checksum."""
    if _idx.digest(labels) == LABELS_SHA256:
        return CLASSES
    return tuple(str(label) for label in range(int(labels.max()) + 1))
