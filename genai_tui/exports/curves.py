"""Exporting: the curves of a chart as CSV, a line a step."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from genai_tui.column import Floats
from genai_tui.exports import files
from genai_tui.visible import slug, visible

Curve = tuple[Floats, Floats]
"""Steps, sorted, and values; both of shape [n]."""


def export(curves: Mapping[str, Curve], times: Curve, run: str, chart: str, folder: Path) -> Path:
    """Writes ``RUN-CHART.csv``, or the next name that is free; its absolute path.

    Columns are the step, when it was logged in seconds since the epoch, and each key; what was not
    logged at a step is empty, a value is written with all of its digits.

    Raises:
        ExportError: it cannot be written.
    """

    def fill(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, "utf-8", "replace", newline="", write_through=True)
        csv.writer(text, lineterminator="\n").writerows(_rows(curves, times))
        text.detach()  # the file is closed by whoever opened it

    return files.write_beside(folder / f"{slug(run)}-{slug(chart)}.csv", fill)


def _rows(curves: Mapping[str, Curve], times: Curve) -> Iterator[list[str]]:
    yield ["step", "time", *(visible(key) for key in curves)]
    steps = np.unique(np.concatenate([steps for steps, _ in curves.values()]))
    columns = [_at(curve, steps) for curve in (times, *curves.values())]
    for step, *values in zip(steps.tolist(), *columns, strict=True):
        yield [f"{step:.0f}", *values]


def _at(curve: Curve, steps: Floats) -> list[str]:
    """The last value of each step, as text; empty where there is none."""
    own, values = curve
    texts = np.full(len(steps), "", object)
    texts[np.searchsorted(steps, own[np.isin(own, steps)])] = [
        repr(value) for value in values[np.isin(own, steps)].tolist()
    ]
    return texts.tolist()
