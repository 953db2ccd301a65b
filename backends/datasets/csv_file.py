"""A CSV file of your own: columns of numbers over time, a row a time step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets import _table
from backends.datasets._files import MEMORY, required, shown, text_of
from backends.datasets._series import series_dataset
from backends.knobs import Bounds

MODALITY = "series"
EMBEDDED = False
NEEDS_PATH = True

_LIMIT = MEMORY // 8


@dataclass(frozen=True, kw_only=True)
class Config:
    context: Annotated[int, "rows that a forecast looks back on", Bounds(2, 4096, "rows")] = 96
    horizon: Annotated[int, "rows that are forecast", Bounds(1, 4096, "rows")] = 24
    columns: Annotated[str, "names of columns, comma between; empty: all that hold numbers"] = ""
    fill: Annotated[int, "longest gap that is filled along a line", Bounds(0, 1000, "rows")] = 8


def fits(path: Path) -> bool:
    """Whether ``path`` is a file that is named .csv."""
    return path.suffix.lower() == ".csv" and path.is_file()


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """The columns of numbers of ``path``; the last rows are held out."""
    path = required(path, "a CSV file")
    where = shown(path)
    table = _table.chosen(_table.read(text_of(path, _LIMIT), where), config.columns, where)
    return series_dataset(
        table,
        where=where,
        context=config.context,
        horizon=config.horizon,
        fill=config.fill,
        validation=validation,
    )
