"""Curves as CSV: every value with all of its digits, no file overwritten."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.exports.curves import export
from genai_tui.exports.files import ExportError


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def curve(*points: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(points, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def test_a_line_has_the_step_the_time_and_what_was_logged_there(tmp_path: Path) -> None:
    curves = {"loss": curve((1, 0.1), (3, math.nan)), "validation/loss": curve((2, 1 / 3))}
    times = curve((1, 1e9), (2, 1e9 + 0.5), (3, 1e9 + 1))
    path = export(curves, times, "My run", "loss", tmp_path)
    assert path == tmp_path / "my-run-loss.csv"
    assert read(path) == [
        ["step", "time", "loss", "validation/loss"],
        ["1", "1000000000.0", "0.1", ""],
        ["2", "1000000000.5", "", repr(1 / 3)],
        ["3", "1000000001.0", "nan", ""],
    ]


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    paths = [export({"a": curve((1, i))}, curve(), "r", "a", tmp_path) for i in range(3)]
    assert [path.name for path in paths] == ["r-a.csv", "r-a-2.csv", "r-a-3.csv"]
    assert [read(path)[1][2] for path in paths] == ["0.0", "1.0", "2.0"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError):
        export({"a": curve((1, 1))}, curve(), "r", "a", tmp_path / "file")


@given(
    st.dictionaries(st.text(max_size=8), st.lists(st.floats(), max_size=8), min_size=1, max_size=3)
)
def test_all_values_come_back(tmp_path_factory: pytest.TempPathFactory, data: dict) -> None:
    curves = {
        key: (np.arange(len(y), dtype=np.float64), np.array(y, np.float64))
        for key, y in data.items()
    }
    path = export(curves, curve(), "r", "a", tmp_path_factory.mktemp("out"))
    rows = read(path)[1:]
    for index, (_, values) in enumerate(curves.values()):
        found = [float(row[2 + index]) for row in rows if row[2 + index]]
        assert np.array_equal(found, values, equal_nan=True)
