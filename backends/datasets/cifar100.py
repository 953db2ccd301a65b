"""50,000 colour pictures, 32 x 32, a hundred classes: CIFAR-100, downloaded once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets._cifar import Labels
from backends.datasets._cifar_archive import Archive
from backends.datasets._cifar_archive import load as load_archive

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = False

ARCHIVE = Archive("cifar100", "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85")


@dataclass(frozen=True, kw_only=True)
class Config:
    labels: Annotated[Labels, "100 fine classes, or the 20 coarse ones they are in"] = "fine"
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = True


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The published training part, split; its 10,000 test pictures are never read."""
    return load_archive(ARCHIVE, config.labels, validation, config.flip)
