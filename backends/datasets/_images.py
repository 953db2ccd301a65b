"""Makes a data set of pictures that are already in memory."""

import numpy as np
import torch
from numpy.typing import NDArray

from backends.data import Dataset, Images, held_out
from backends.data_error import DataError
from backends.model import DataShape


def image_dataset(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.integer] | None,
    classes: tuple[str, ...],
    *,
    where: str,
    validation: float,
    flip: bool = False,
    notices: tuple[str, ...] = (),
) -> Dataset:
    """Splits ``pixels`` [N, C, H, W], which are not copied; ``flip`` mirrors training pictures."""
    if len(pixels) < 2:
        raise DataError(f"{where} has 1 picture, and 1 must be held out: add pictures")
    x = torch.from_numpy(pixels)
    y = None if labels is None else torch.from_numpy(labels.astype(np.int64))
    train, held = held_out(len(x), validation)
    _, channels, height, width = x.shape
    return Dataset(
        DataShape("image", (channels, height, width), classes),
        Images(x, None if y is None else y[train], flip, train),
        Images(x, None if y is None else y[held], rows=held),
        notices,
    )
