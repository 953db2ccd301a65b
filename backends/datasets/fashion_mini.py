"""2,000 grey pictures of clothes, 28 x 28, ten classes: a part of Fashion-MNIST, embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets import _embedded
from backends.datasets._fashion import CLASSES
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = True
NEEDS_PATH = False


@dataclass(frozen=True, kw_only=True)
class Config:
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The first 200 pictures of each class of the full set's training part."""
    return image_dataset(
        _embedded.array("fashion2k.images")[:, None],
        _embedded.array("fashion2k.labels"),
        CLASSES,
        where="fashion-mini",
        validation=validation,
        flip=config.flip,
    )
