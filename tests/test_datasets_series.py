"""Columns of numbers out of CSV files: what is read, filled, left out, held out and refused."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backends.data import Dataset, Source
from backends.data_error import DataError
from backends.datasets import _table, co2, csv_file
from backends.datasets._resolve import load_dataset
from backends.datasets._shape import shape_from_state, shape_state


def load(path: Path, validation: float = 0.2, **knobs: object) -> Dataset:
    config = csv_file.Config(**{"context": 4, "horizon": 2, **knobs})  # pyright: ignore[reportArgumentType]
    return csv_file.load(config, path, validation)


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    path = tmp_path / "weather.csv"
    rows = [f"2020-01-{i % 28 + 1:02d};{i}.5;{100 - 2 * i};sunny" for i in range(40)]
    path.write_text("\ufeffday;warmth;rain;sky\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_columns_of_numbers_are_found_and_others_named(weather: Path) -> None:
    data = load(weather)
    assert [column.name for column in data.shape.columns] == ["warmth", "rain"]
    assert data.shape.size == (2, 4, 2)
    assert any("hold no numbers are left out: day, sky" in notice for notice in data.notices)
    assert [c.name for c in load(weather, columns="rain").shape.columns] == ["rain"]


def test_an_item_is_a_stretch_in_standard_units(weather: Path) -> None:
    data = load(weather)
    x, y = data.train.fetch(torch.tensor([3]), torch.zeros(1, dtype=torch.int64), 0)
    assert y is None
    assert x.shape == (1, 2, 6)
    warmth = data.shape.columns[0]
    values = warmth.mean + warmth.std * x[0, 0]
    torch.testing.assert_close(values, torch.arange(3, 9) + 0.5)


def test_what_is_held_out_comes_later_and_its_horizon_is_never_trained_on(weather: Path) -> None:
    data = load(weather, validation=0.25)

    def rows(source: Source) -> list[list[float]]:
        n = len(source)
        x, _ = source.fetch(torch.arange(n), torch.zeros(n, dtype=torch.int64), 0)
        first = data.shape.columns[0]
        return (first.mean + first.std * x[:, 0]).round(decimals=1).tolist()

    trained, held = rows(data.train), rows(data.validation)
    assert max(max(item) for item in trained) == 29.5
    assert all(item[4] >= 30.5 for item in held)
    assert held[-1][-1] == 39.5


def test_short_gaps_are_filled_and_long_ones_never_crossed(tmp_path: Path) -> None:
    values = [str(i) for i in range(60)]
    values[10:12] = ["", "NaN"]
    values[30:36] = ["-"] * 6
    path = tmp_path / "gaps.csv"
    path.write_text("x\n" + "\n".join(values))
    data = load(path, fill=3)
    assert "2 gaps of" in " ".join(data.notices)
    assert "6 rows of" in " ".join(data.notices)
    every = torch.arange(len(data.train))
    x, _ = data.train.fetch(every, torch.zeros_like(every), 0)
    assert x.isfinite().all()
    steps = x.diff(dim=2)[:, 0] * data.shape.columns[0].std
    torch.testing.assert_close(steps, torch.ones_like(steps))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a,b\nx,y\n", "has no column of numbers"),
        ("a\n1\n2\n3\n", "has 3 rows, and context 4 and horizon 2 need"),
        ("a\n" + "\n".join("12" for _ in range(20)) + "\n1,2\n", "row 22 of .* has 2 cells for 1"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_column_names_those_there(weather: Path) -> None:
    with pytest.raises(DataError, match="no column of numbers 'wind'; there is warmth, rain"):
        load(weather, columns="warmth, wind")
    weather.write_bytes(b"a\n1\n\xff\n")
    with pytest.raises(DataError, match=r"byte 4 of .* is not UTF-8"):
        load(weather)


def test_a_path_that_ends_in_csv_is_a_series(weather: Path) -> None:
    knobs = {"context": 4, "horizon": 2}
    assert load_dataset(str(weather), "series", knobs, 0.2, 4).shape.modality == "series"
    with pytest.raises(DataError, match="model learns pictures"):
        load_dataset(str(weather), "image", {}, 0.2, 4)


def test_a_shape_of_columns_survives_its_checkpoint(weather: Path) -> None:
    shape = load(weather).shape
    assert shape_from_state(shape_state(shape)) == shape


def test_the_embedded_series_has_its_gaps_filled() -> None:
    data = co2.load(co2.Config(), None, 0.1)
    (column,) = data.shape.columns
    assert column.name == "co2"
    assert 320 < column.mean < 345
    assert data.notices[0] == "41 gaps of co2 filled along straight lines"
    assert len(data.train) > 1500
    assert 1 < len(data.validation) <= 64


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)), min_size=3, max_size=30),
    st.integers(0, 5),
)
def test_filling_touches_gaps_alone(cells: list[float | None], most: int) -> None:
    values = np.array([np.nan if cell is None else cell for cell in cells])[:, None]
    whole, count = _table.filled(values, most)
    known = ~np.isnan(values)
    assert np.array_equal(whole[known], values[known])
    assert count == np.isnan(values).sum() - np.isnan(whole).sum()
    if known.any() and count:
        low, high = np.nanmin(values), np.nanmax(values)
        assert np.nanmin(whole) >= low - 1e-6
        assert np.nanmax(whole) <= high + 1e-6


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fall_over(text: str) -> None:
    with contextlib.suppress(DataError):
        table = _table.read(text, "it")
        assert table.values.shape[1] == len(table.names) > 0
