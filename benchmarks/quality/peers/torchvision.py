"""A stand-in for torchvision, whose wheel does not import beside a PyTorch without CUDA.

It gives a script that expects MNIST the images of the bake-off, ready made, which spares the script
decoding and resizing; and it ends the script's loop when the budget is spent.
"""

import sys
from types import ModuleType
from typing import Any

from torch import Tensor

from benchmarks.quality.budget import Budget


class Digits:
    """The images as ``torchvision.datasets.MNIST``, and how many of them were asked for."""

    def __init__(self, images: Tensor, budget: Budget) -> None:
        self.images, self.budget, self.fetched = images, budget, 0

    def __call__(self, *_: Any, **__: Any) -> "Digits":
        """Constructs the data set: root, train, transform and download are of no interest."""
        return self

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.budget.check()
        self.fetched += 1
        return self.images[index], 0


def _nothing(*_: Any, **__: Any) -> None:
    """Takes the place of every transform and of save_image."""


def install(digits: Digits | None = None) -> None:
    """Puts the stand-in where ``import torchvision`` finds it."""
    root, *parts = (
        ModuleType(name)
        for name in (
            *("torchvision", "torchvision.transforms", "torchvision.utils", "torchvision.datasets"),
        )
    )
    transforms, utils, datasets = parts
    for name in ("Compose", "Resize", "ToTensor", "Normalize"):
        setattr(transforms, name, _nothing)
    setattr(utils, "save_image", _nothing)  # noqa: B010 - a module made at run time
    setattr(datasets, "MNIST", digits)  # noqa: B010
    for module in parts:
        setattr(root, module.__name__.rpartition(".")[2], module)
    sys.modules.update({module.__name__: module for module in (root, *parts)})
