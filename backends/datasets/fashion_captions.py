"""2,000 grey pictures of clothes with captions that say what can be measured in them; embedded.

The captions were written by no one: the kind of garment is the label of Fashion-MNIST; whether it
is light or dark, wide or narrow, plain or patterned is measured in the pixels, and all of that is
put into four phrasings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from backends.data import Dataset
from backends.datasets import _embedded
from backends.datasets._captions import captioned_dataset
from backends.knobs import Bounds

MODALITY = "captions"
EMBEDDED = True
NEEDS_PATH = False

NOUNS = (
    *("t-shirt", "pair of trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
INK = 12  # what is darker belongs to the black ground


@dataclass(frozen=True, kw_only=True)
class Config:
    tokens: Annotated[int, "words of a caption that the model sees", Bounds(4, 64, "words")] = 8


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The pictures of fashion-mini, each with four phrasings of one description."""
    pixels = _embedded.array("fashion2k.images")
    labels = _embedded.array("fashion2k.labels")
    texts = [phrasings(*pair) for pair in zip(pixels, labels.tolist(), strict=True)]
    return captioned_dataset(
        torch.from_numpy(pixels[:, None].copy()),
        texts,
        where="fashion-captions",
        validation=validation,
        tokens=config.tokens,
    )


def phrasings(picture: NDArray[np.uint8], label: int) -> list[str]:
    """Four captions of a picture [28, 28]."""
    noun, (tone, shape, texture) = NOUNS[label], measured(picture)
    return [
        f"a {tone} {noun}",
        f"a {shape} {tone} {noun}",
        f"a {tone} {texture} {noun}",
        f"{noun}, {tone}, {shape} and {texture}",
    ]


def measured(picture: NDArray[np.uint8]) -> tuple[str, str, str]:
    """Its tone, shape and texture as words.

    Tone is the mean of the ink in thirds of 255, shape the ink's width over its height, texture the
    ink's standard deviation.
    """
    rows, columns = np.nonzero(picture > INK)
    if not len(rows):
        return "dark", "narrow", "plain"
    ink = picture[rows, columns].astype(np.float64)
    aspect = (np.ptp(columns) + 1) / (np.ptp(rows) + 1)
    tone = ("dark", "grey", "light")[min(2, int(ink.mean() // 85))]
    return (
        tone,
        "narrow" if aspect < 0.75 else "wide" if aspect > 1.1 else "square",
        "patterned" if ink.std() > 60 else "plain",
    )
