"""50,000 colour pictures, 32 x 32, ten classes: CIFAR-10, downloaded once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets._cifar_archive import Archive
from backends.datasets._cifar_archive import load as load_archive

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = False

ARCHIVE = Archive("cifar10", "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")


@dataclass(frozen=True, kw_only=True)
class Config:
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = True


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The published training part, split; its 10,000 test pictures are never read."""
    return load_archive(ARCHIVE, "fine", validation, config.flip)
