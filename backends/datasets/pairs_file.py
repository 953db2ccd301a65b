"""A TSV file of your own: pairs of lines, what is given and what it becomes, a tab between."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets._byte_pairs import LARGEST, SMALLEST, BytePairs
from backends.datasets._files import (
    MEMORY,
    counted,
    head,
    named,
    required,
    shown,
    text_of,
)
from backends.datasets._pairs import Pair, pairs_dataset
from backends.datasets._vocabulary import Bytes, Characters
from backends.knobs import Bounds, Only
from backends.model import Vocabulary

MODALITY = "pairs"
EMBEDDED = False
NEEDS_PATH = True

_LIMIT = MEMORY // 8
_HEAD = 65_536  # bytes that hold the first line


@dataclass(frozen=True, kw_only=True)
class Config:
    source: Annotated[
        int, "longest source line, longer ones are left out", Bounds(1, 4096, "tokens")
    ] = 128
    target: Annotated[
        int, "longest target line, longer ones are left out", Bounds(1, 4096, "tokens")
    ] = 128
    vocabulary: Annotated[
        Literal["characters", "bytes", "bpe"],
        "what a token is; bytes write every line, and bpe learns frequent pieces",
    ] = "characters"
    vocabulary_size: Annotated[
        int,
        "tokens of vocabulary=bpe, at most",
        Bounds(SMALLEST, LARGEST, "tokens"),
        Only("vocabulary", "bpe"),
    ] = 1024


def fits(path: Path) -> bool:
    """Whether ``path`` is a file that is named .tsv, with a tab in its first line."""
    named_so = path.suffix.lower() == ".tsv" and path.is_file()
    return named_so and b"\t" in head(path, _HEAD).partition(b"\n")[0]


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The first two columns of ``path``; no source that is held out is trained on."""
    path = required(path, "a TSV file of two columns")
    where = shown(path)
    pairs, notices = _pairs(text_of(path, _LIMIT), where)
    return pairs_dataset(
        pairs,
        _vocabulary(config, pairs),
        where=where,
        source=config.source,
        target=config.target,
        validation=validation,
        notices=notices,
    )


def _vocabulary(config: Config, pairs: list[Pair]) -> Vocabulary:
    """One for both sides."""
    if config.vocabulary == "bytes":
        return Bytes()
    lines = [line for pair in pairs for line in pair]
    if config.vocabulary == "bpe":
        return BytePairs.of(lines, config.vocabulary_size)
    return Characters.of("".join(lines))


def _pairs(text: str, where: str) -> tuple[list[Pair], tuple[str, ...]]:
    """The pairs of a file, and sentences about what was not taken."""
    pairs, bad, wide = list[Pair](), list[str](), 0
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) >= 2 and cells[0] and cells[1]:
            pairs.append((cells[0], cells[1]))
            wide += len(cells) > 2
        elif line.strip():
            bad.append(f"line {number:,}")
    if not pairs:
        raise DataError(f"no line of {where} has two columns: put a tab between source and target")
    notices = list[str]()
    if bad:
        fault = f"{counted(len(bad), 'line')} of {where} without two columns left out"
        notices.append(f"{fault}: {named(bad)}")
    if wide:
        notices.append(f"{counted(wide, 'line')} of {where} with more than two columns: cut to two")
    return pairs, tuple(notices)
