"""Columns of numbers out of the text of a CSV file, with gaps where a cell holds no number."""

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.data_error import DataError
from backends.datasets._files import counted, named, shown

_GAPS = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
_DELIMITERS = ",;\t|"

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers [T, C], NaN in a gap; and the columns that hold something else."""

    names: list[str]
    values: Values
    others: list[str]


def read(text: str, where: str) -> Table:
    """The columns of numbers of a CSV text; the first row may name them.

    Raises:
        DataError: no column of numbers, or a row with more cells than the first.
    """
    rows = _rows(text, where)
    header = _header(rows)
    cells, width = rows[header is not None :], len(rows[0])
    names = header or [f"column {i + 1}" for i in range(width)]
    parsed = [_column([row[i] if i < len(row) else "" for row in cells]) for i in range(width)]
    good = [i for i, column in enumerate(parsed) if column is not None]
    if not good or not cells:
        raise DataError(f"{where} has no column of numbers: give a CSV file with at least one")
    values = np.stack([column for column in parsed if column is not None], axis=1)
    others = [names[i] for i in range(width) if i not in good]
    return Table([names[i] for i in good], values, others)


def chosen(table: Table, columns: str, where: str) -> Table:
    """The table with the ``columns`` that are named, separated by commas; all if none are.

    Raises:
        DataError: a name that is no column of numbers, with those that are.
    """
    wanted = [name.strip() for name in columns.split(",") if name.strip()]
    if not wanted:
        return table
    for name in wanted:
        if name not in table.names:
            there = named([shown(one) for one in table.names])
            raise DataError(f"{where} has no column of numbers {name!r}; there is {there}")
    picked = [table.names.index(name) for name in dict.fromkeys(wanted)]
    return Table([table.names[i] for i in picked], table.values[:, picked], [])


def filled(values: Values, most: int) -> tuple[Values, int]:
    """``values`` with gaps of at most ``most`` rows filled along a straight line, and how many
    cells were. Longer gaps, and those at an end, stay."""
    whole, count = values.copy(), 0
    for column in whole.T:
        missing = np.isnan(column)
        for begin, end in _stretches(missing):
            if begin > 0 and end < len(column) and end - begin <= most:
                steps = np.linspace(column[begin - 1], column[end], end - begin + 2)[1:-1]
                column[begin:end] = steps
                count += end - begin
    return whole, count


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _rows(text: str, where: str) -> list[list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        lines = csv.reader(io.StringIO(text.strip()), delimiter=delimiter)
        rows = [[cell.strip() for cell in line] for line in lines]
    except csv.Error as error:
        raise DataError(f"{where} is no CSV file: {error}") from None
    if rows and len(rows[0]) > 1:  # in a single column an empty line is a gap
        rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(f"{where} is empty: give a CSV file with rows of numbers")
    for number, row in enumerate(rows, 1):
        if len(row) > len(rows[0]):
            cells = f"{counted(len(row), 'cell')} for {counted(len(rows[0]), 'column')}"
            raise DataError(f"row {number:,} of {where} has {cells}: mend or remove it")
    return rows


def _header(rows: list[list[str]]) -> list[str] | None:
    """The names in the first row, if no cell of it is a number."""
    first = rows[0]
    if len(rows) > 1 and all(_number(cell) is None for cell in first if cell):
        return [cell or f"column {i + 1}" for i, cell in enumerate(first)]
    return None


def _column(cells: list[str]) -> Values | None:
    """The numbers of a column; None where it holds text, or mostly nothing."""
    numbers = [_number(cell) for cell in cells]
    text = any(
        n is None and cell.lower() not in _GAPS for n, cell in zip(numbers, cells, strict=True)
    )
    known = sum(number is not None for number in numbers)
    if text or 2 * known < len(cells):
        return None
    return np.array([np.nan if number is None else number for number in numbers])


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
