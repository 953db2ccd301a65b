"""951 kB of Shakespeare, seven plays and the Sonnets, character by character: embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets import _embedded
from backends.datasets._text import text_dataset
from backends.datasets._vocabulary import Characters
from backends.knobs import Bounds

MODALITY = "text"
EMBEDDED = True
NEEDS_PATH = False


@dataclass(frozen=True, kw_only=True)
class Config:
    context: Annotated[int, "tokens the model sees at once", Bounds(4, 4096, "tokens")] = 64


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The text in the order of the works, so that every play has its part in both splits."""
    text = _embedded.text("shakespeare8")
    vocabulary = Characters.of(text)
    return text_dataset(
        vocabulary.encode_all(text),
        vocabulary,
        where="shakespeare-mini",
        context=config.context,
        validation=validation,
    )
