"""Histograms of a run in memory: few enough, evenly spaced, and as no crash had happened."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.records import Histogram, Start
from genai_tui.groups import Group, spread_groups
from genai_tui.history import MOST_SPREADS, History
from genai_tui.spreads import MOST_KEPT, columns_of


def record(step: int, name: str = "weights/net", **changes: Any) -> Histogram:
    usual = {"low": -1.0, "high": 1.0, "counts": [1, step], "least": -2.0, "most": 3.0}
    return Histogram(**{"step": step, "t": 0.0, "name": name, **usual, **changes})


def folded(*records: Any) -> History:
    history = History()
    history.fold(records)
    return history


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_steps_are_in_order_and_the_last_of_one_step_counts(steps: list[int]) -> None:
    kept = folded(*(record(step) for step in steps)).spreads["weights/net"].kept
    found = [bins.step for bins in kept]
    assert found == sorted(set(found))
    assert found[-1] == max(steps)


@pytest.mark.parametrize("count", [MOST_KEPT, MOST_KEPT + 1, 5000])
def test_however_many_are_written_few_are_kept_evenly(count: int) -> None:
    kept = folded(*(record(10 * i) for i in range(count))).spreads["weights/net"].kept
    steps = np.array([bins.step for bins in kept])
    assert MOST_KEPT / 3 < len(kept) <= MOST_KEPT
    assert (steps[0], steps[-1]) == (0, 10 * (count - 1))
    gaps = np.diff(steps)[:-1]
    assert gaps.max() <= 2.5 * gaps.min()


def test_what_an_earlier_attempt_wrote_beyond_the_start_is_forgotten() -> None:
    start = Start(step=25, t=0.0, attempt=2, of=100)
    history = folded(*map(record, (10, 20, 30)), start, record(30, counts=[9]))
    assert [(b.step, b.counts.sum()) for b in history.spreads["weights/net"].kept] == [
        *((10, 11), (20, 21)),
        (30, 9),
    ]


def test_the_newest_one_until_a_step_is_read() -> None:
    spread = folded(*map(record, (10, 20))).spreads["weights/net"]
    found = [spread.at(step) for step in (5, 15, 20, 99, None)]
    assert [bins and bins.step for bins in found] == [None, 10, 20, 20, 20]


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": math.inf},
        {"low": 2.0},
        {"counts": []},
        {"counts": [-1]},
        {"counts": [1] * 300},
        {"most": 1e305},
        {"not_finite": -1},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_counted_as_damage(wrong: dict[str, Any]) -> None:
    history = folded(record(1, **wrong))
    assert (history.damaged, history.spreads) == (1, {})


def test_there_are_never_too_many_names() -> None:
    history = folded(*(record(1, f"weights/{i}") for i in range(MOST_SPREADS + 5)))
    assert (len(history.spreads), history.damaged) == (MOST_SPREADS, 5)


def test_no_chart_of_histograms_is_taken_for_one_of_lines() -> None:
    assert spread_groups(["weights/net", "loss"]) == [
        Group("weights/net", (), "weights/net"),
        Group("histogram/loss", (), "loss"),
    ]


def test_columns_of_a_table_have_every_number() -> None:
    kept = folded(record(10), record(20, counts=[1, 2, 3])).spreads["weights/net"].kept
    columns = {
        name: (steps.tolist(), values.tolist())
        for name, (steps, values) in columns_of(kept).items()
    }
    assert columns["most"] == ([10, 20], [3, 3])
    assert columns["bin_1"] == ([10, 20], [10, 2])
    assert columns["bin_2"] == ([20], [3])
