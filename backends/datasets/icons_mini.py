"""1,000 colour icons, 16 x 16, over white: the Silk icons, embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from backends.data import Dataset
from backends.datasets import _embedded
from backends.datasets._images import image_dataset

MODALITY = "image"
EMBEDDED = True
NEEDS_PATH = False


@dataclass(frozen=True, kw_only=True)
class Config:
    size: Annotated[Literal["16", "32"], "height and width; 32 repeats every pixel"] = "16"
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The icons without their names, which the set does not tell (Mark James, CC BY 3.0)."""
    pixels = _over_white(_embedded.array("silk1000.rgba16")).transpose(0, 3, 1, 2)
    factor = int(config.size) // pixels.shape[-1]
    return image_dataset(
        np.ascontiguousarray(pixels.repeat(factor, 2).repeat(factor, 3)),
        None,
        (),
        where="icons-mini",
        validation=validation,
        flip=config.flip,
    )


def _over_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[N, H, W, 4] to [N, H, W, 3]: what is transparent shows white."""
    color, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
