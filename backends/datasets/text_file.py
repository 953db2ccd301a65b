"""A text file of your own, or a folder of .txt and .md files: characters, bytes or byte pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets._byte_pairs import LARGEST, SMALLEST, BytePairs
from backends.datasets._files import (
    MEMORY,
    Listing,
    gib,
    head,
    listing,
    open_regular,
    regular_files,
    required,
    shown,
    shut_notice,
)
from backends.datasets._pictures import looks_like_picture
from backends.datasets._text import Ids, Split, split_text, text_dataset, windows
from backends.datasets._vocabulary import Bytes, Characters, codes, spelled
from backends.knobs import Bounds, Only
from backends.model import Vocabulary

MODALITY = "text"
EMBEDDED = False
NEEDS_PATH = True

SUFFIXES = (".txt", ".md")
MANY = 1000  # characters; a larger vocabulary deserves a word
_LIMIT = MEMORY // 8  # an id takes 8 bytes


@dataclass(frozen=True, kw_only=True)
class Config:
    context: Annotated[int, "tokens the model sees at once", Bounds(4, 4096, "tokens")] = 64
    vocabulary: Annotated[
        Literal["characters", "bytes", "bpe"],
        "what a token is; bytes write every text, and bpe learns its frequent pieces",
    ] = "characters"
    vocabulary_size: Annotated[
        int,
        "tokens of vocabulary=bpe, at most",
        Bounds(SMALLEST, LARGEST, "tokens"),
        Only("vocabulary", "bpe"),
    ] = 1024
    sections: Annotated[
        int, "stretches held out, spread over the text; 1 is its end alone", Bounds(1, 1000)
    ] = 20


def fits(path: Path) -> bool:
    """Whether ``path`` is a file that is no picture, or a folder with a text file in it."""
    if path.is_dir():
        return any(file.suffix.lower() in SUFFIXES for file in regular_files(path))
    return not looks_like_picture(head(path))


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The files one after the other, each begun on a line of its own."""
    path = required(path, "a text file or a folder of .txt or .md files")
    found = listing(path) if path.is_dir() else Listing([path], [])
    files = _texts(path, found)
    texts = _read(files)
    shut = shut_notice(path, found.shut)
    if config.vocabulary == "bytes":
        ids = np.frombuffer(b"\n".join(texts), np.uint8).astype(np.int64)
        return _dataset(config, path, ids, Bytes(), validation, shut)
    text = "\n".join(_decoded(data, file) for data, file in zip(texts, files, strict=True))
    if config.vocabulary == "bpe":
        return _byte_pairs(config, path, text, validation, shut)
    vocabulary = Characters.of(text)
    ids = vocabulary.encode_all(text)
    return _dataset(config, path, ids, vocabulary, validation, shut, _many(path, vocabulary))


def _dataset(
    config: Config, path: Path, ids: Ids, vocabulary: Vocabulary, validation: float, *notices: str
) -> Dataset:
    return text_dataset(
        ids,
        vocabulary,
        where=shown(path),
        context=config.context,
        validation=validation,
        sections=config.sections,
        notices=tuple(notice for notice in notices if notice),
    )


def _byte_pairs(config: Config, path: Path, text: str, validation: float, shut: str) -> Dataset:
    """What is held out is split off before the pairs are learned, by characters."""
    characters = codes(text).astype(np.int64)
    parts = split_text(characters, validation, config.context, config.sections, shown(path))
    train, held = (spelled(part) for part in (parts.train, parts.validation))
    vocabulary = BytePairs.of([train], config.vocabulary_size)
    ids = Split(vocabulary.encode_all(train), vocabulary.encode_all(held))
    short = min(len(ids.train) // 2, len(ids.validation) - 1)
    if short < config.context:
        have = f"{shown(path)} makes {len(ids.train) + len(ids.validation):,} byte pairs"
        raise DataError(f"{have}, too few for context {config.context}: lower it or add text")
    return windows(ids, vocabulary, config.context, (shut,) if shut else ())


def _texts(path: Path, found: Listing) -> list[Path]:
    if found.files == [path]:
        return [path]
    files = [file for file in found.files if file.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"{shown(path)} holds no .txt or .md file: add one or give another folder")
    return files


def _read(files: list[Path]) -> list[bytes]:
    texts, room = [], _LIMIT
    for file in files:
        try:
            with open_regular(file) as stream:
                texts.append(stream.read(room + 1))
        except OSError as error:
            raise DataError(f"{shown(file)} cannot be read: {error.strerror}") from None
        room -= len(texts[-1])
        if room < 0:
            raise DataError(f"the text up to {shown(file)} is larger than {gib(_LIMIT)}: give less")
    return texts


def _decoded(data: bytes, file: Path) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        fault = f"byte {error.start:,} (0x{data[error.start]:02X}) of {shown(file)} is not UTF-8"
        raise DataError(f"{fault}: convert the file or set vocabulary=bytes") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _many(path: Path, vocabulary: Characters) -> str:
    if vocabulary.size <= MANY:
        return ""
    many = f"{shown(path)} has {vocabulary.size:,} distinct characters"
    return f"{many}, each a token: vocabulary=bytes would have 256"
