"""The space in which samples of a data set are compared with real pictures; scores name it.

Where pictures have classes it is a small classifier, learned from the training pictures in seconds;
else the pictures themselves, shrunk. Nothing is downloaded, and neither is Inception: none of these
scores is an FID.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from backends import seeds
from backends.data import Dataset, permutation
from backends.metrics import classifier
from backends.metrics.classifier import Classifier

MOST_LESSONS = 20_000
"""Training pictures that a classifier learns from, at most."""
SIDE = 8


@dataclass(frozen=True, slots=True)
class Space:
    """``features`` maps pictures [N, C, H, W] in [-1, 1] on the CPU to [N, D]; ``name`` says which
    space that is: two of one name are the same."""

    name: str
    features: Callable[[Tensor], Tensor]


def space_of(dataset: Dataset, folder: Path) -> Space:
    """The space of a data set; what was learned for it is kept in ``folder``."""
    if dataset.shape.num_classes < 2:
        return Space(f"pixels-{SIDE}x{SIDE}", shrunk)
    net = _classifier(dataset, folder)
    return Space(f"classifier-{net.digest[:8]}", lambda x: classifier.features(net, x))


def shrunk(x: Tensor) -> Tensor:
    """Pictures as SIDE x SIDE means, [N, C · SIDE²]."""
    return F.adaptive_avg_pool2d(x, SIDE).flatten(1)


def _classifier(dataset: Dataset, folder: Path) -> Classifier:
    images, labels = _lessons(dataset)
    path = folder / f"classifier-{_digest(images, labels)}.safetensors"
    known = _read(path, images.shape[1], dataset.shape.num_classes)
    if known is not None:
        return known
    net = classifier.fit(images, labels, dataset.shape.num_classes)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(net.state_dict(), part)
    part.replace(path)
    return net


def _read(path: Path, channels: int, classes: int) -> Classifier | None:
    """A classifier that was kept; None if there is none that can be used."""
    net = Classifier(channels, classes).eval()
    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        return None
    return net


def _lessons(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Training pictures [N, C, H, W] and their classes [N], always the same ones."""
    chosen = permutation(len(dataset.train), seeds.seed_of(0, 0, "features"))[:MOST_LESSONS]
    parts = [dataset.train.fetch(part, torch.zeros_like(part), 0) for part in chosen.split(256)]
    labels = [y.cpu() for _, y in parts if y is not None]
    return torch.cat([x.cpu() for x, _ in parts]), torch.cat(labels)


def _digest(images: Tensor, labels: Tensor) -> str:
    hashed = hashlib.sha256(images.contiguous().numpy().tobytes())
    hashed.update(labels.contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]
