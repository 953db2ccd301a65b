"""5,163 first names, one a line, character by character: learned in seconds, embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset, permutation
from backends.datasets import _embedded
from backends.datasets._text import text_dataset
from backends.datasets._vocabulary import Characters
from backends.knobs import Bounds
from backends.seeds import seed_of

MODALITY = "text"
EMBEDDED = True
NEEDS_PATH = False


@dataclass(frozen=True, kw_only=True)
class Config:
    context: Annotated[int, "tokens the model sees at once", Bounds(4, 512, "tokens")] = 32


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The names in an order drawn once and for all; the last ones are held out."""
    text = "\n" + "".join(f"{name}\n" for name in _shuffled())
    vocabulary = Characters.of(text)
    return text_dataset(
        vocabulary.encode_all(text),
        vocabulary,
        where="names",
        context=config.context,
        validation=validation,
        sections=1,
    )


def _shuffled() -> list[str]:
    lines = _embedded.text("names").split()
    return [lines[i] for i in permutation(len(lines), seed_of(0, 0, "names")).tolist()]
