"""The shape of data as JSON, kept with a checkpoint so that sampling needs no data set."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from backends.data_error import DataError
from backends.datasets._byte_pairs import BytePairs
from backends.datasets._lines import Lines
from backends.datasets._vocabulary import Bytes, Characters, from_state
from backends.datasets._words import Words
from backends.model import Column, DataShape, Vocabulary
from backends.records import DataKind

_NUMBERS: dict[DataKind, int] = {
    "image": 3,
    "text": 1,
    "audio": 2,
    "series": 3,
    "pairs": 2,
    "captions": 4,
}
"""Numbers in the size of each kind's shape."""


def shape_state(shape: DataShape) -> dict[str, object]:
    """``shape`` as JSON can hold it."""
    return {
        "modality": shape.modality,
        "size": list(shape.size),
        "classes": list(shape.classes),
        "vocabulary": _vocabulary_state(shape.vocabulary),
        "rate": shape.rate,
        "columns": [[column.name, column.mean, column.std] for column in shape.columns],
    }


def shape_from_state(state: Mapping[str, object]) -> DataShape:
    """The shape that :func:`shape_state` described.

    Raises:
        DataError: for a description that no shape gives.
    """
    try:
        kept = msgspec.convert(dict(state), _Kept)
    except msgspec.ValidationError as error:
        raise DataError(f"no shape of data is described: {error}") from None
    if len(kept.size) != _NUMBERS[kept.modality]:
        raise DataError(f"{kept.size} is no size of {kept.modality} data")
    vocabulary = None if kept.vocabulary is None else from_state(kept.vocabulary)
    columns = tuple(Column(name, mean, std) for name, mean, std in kept.columns)
    classes = tuple(kept.classes)
    return DataShape(kept.modality, tuple(kept.size), classes, vocabulary, kept.rate, columns)


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    modality: DataKind
    size: list[Annotated[int, msgspec.Meta(gt=0, lt=2**31)]]
    classes: list[str]
    vocabulary: dict[str, object] | None
    rate: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    columns: list[tuple[str, float, float]] = []


def _vocabulary_state(vocabulary: Vocabulary | None) -> dict[str, object] | None:
    if vocabulary is None:
        return None
    if isinstance(vocabulary, Lines):
        return {"kind": "lines", "of": _vocabulary_state(vocabulary.inner)}
    if not isinstance(vocabulary, Characters | Bytes | BytePairs | Words):
        raise DataError(f"a {type(vocabulary).__name__} cannot be kept with a checkpoint")
    return vocabulary.state()
