"""Makes a data set of columns of numbers: windows over time, the last stretch held out."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.data import Dataset, Source
from backends.data_error import DataError
from backends.datasets._files import counted
from backends.datasets._table import Table, filled
from backends.model import INPUTS, Column, DataShape


@dataclass(frozen=True, slots=True)
class Windows(Source):
    """Stretches of a table.

    Attributes:
        values: float32 [T, C], standardised.
        begins: int64 [N], the first row of each item.
        length: rows of an item: context and horizon.
    """

    values: Tensor
    begins: Tensor
    length: int

    def __len__(self) -> int:
        return len(self.begins)

    def fetch(self, indices: Tensor, seeds: Tensor, epoch_seed: int) -> tuple[Tensor, None]:
        """Items [B, C, length], and no labels."""
        begin = self.begins[indices.to(self.begins.device)]
        rows = begin[:, None] + torch.arange(self.length, device=begin.device)
        return self.values[rows].transpose(1, 2), None

    def to(self, device: torch.device) -> "Windows":
        return replace(self, values=self.values.to(device), begins=self.begins.to(device))


def series_dataset(
    table: Table, *, where: str, context: int, horizon: int, fill: int, validation: float
) -> Dataset:
    """Windows of ``context + horizon`` rows. Those to train on end before those whose horizon is
    held out begin; columns are standardised by what is trained on.

    Raises:
        DataError: too few rows without a long gap.
    """
    values, patched = filled(table.values, fill)
    length, rows = context + horizon, len(values)
    held = max(horizon, round(rows * validation))
    whole = _whole(values, length)
    train = whole[whole + length <= rows - held]
    later = whole[whole + context >= rows - held]
    if not len(train) or not len(later):
        need = f"context {context} and horizon {horizon} need {length + held:,} rows without a gap"
        raise DataError(f"{where} has {rows:,} rows, and {need}: lower them or add rows")
    mean, std = _moments(values[: rows - held])
    scaled = torch.from_numpy(((values - mean) / std).astype(np.float32))
    named = zip(table.names, mean.tolist(), std.tolist(), strict=True)
    shape = DataShape(
        "series",
        (len(table.names), context, horizon),
        columns=tuple(Column(*column) for column in named),
    )
    return Dataset(
        shape,
        Windows(scaled, torch.from_numpy(train), length),
        Windows(scaled, torch.from_numpy(_spread(later)), length),
        tuple(_notices(table, values, patched, where, fill)),
    )


def _whole(values: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """First rows of the windows without a gap."""
    if len(values) < length:
        return np.zeros(0, np.int64)
    bad = np.isnan(values).any(1)
    before = np.concatenate([[0], np.cumsum(bad)])
    return np.flatnonzero(before[length:] == before[: len(before) - length])


def _spread(begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most INPUTS of the windows, evenly spread, the last one always among them."""
    picks = np.linspace(0, len(begins) - 1, min(INPUTS, len(begins))).round().astype(np.int64)
    return begins[picks]


def _moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    std = np.nanstd(values, axis=0)
    return np.nanmean(values, axis=0), np.where(std > 0, std, 1.0)


def _notices(
    table: Table, values: NDArray[np.float64], patched: int, where: str, fill: int
) -> list[str]:
    gaps, found = int(np.isnan(values).any(1).sum()), list[str]()
    if table.others:
        others = ", ".join(table.others[:5])
        found.append(f"columns of {where} that hold no numbers are left out: {others}")
    if patched:
        found.append(f"{counted(patched, 'gap')} of {where} filled along straight lines")
    if gaps:
        rows = f"{counted(gaps, 'row')} of {where} in gaps of over {fill} rows"
        found.append(f"{rows}: no window crosses them")
    return found
