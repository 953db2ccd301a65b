"""The fold of records: series that no crash bends, and charts grouped as documented."""

import itertools
import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import any_record

import genai_tui.history
from backends.records import (
    Checkpoint,
    End,
    Mark,
    Notice,
    Phase,
    Record,
    Sample,
    Scalar,
    Start,
    Step,
    scalar,
)
from genai_tui.groups import Group, group_of, grouped, short_names
from genai_tui.history import LARGEST_STEP, MOST_SERIES, History, Instant

EVERY_CHECKPOINT, EVERY_SAMPLE, EVERY_VALIDATION = 7, 5, 4


def steps(first: int, last: int) -> list[Record]:
    """What a deterministic worker logs for the steps from ``first`` to ``last``."""
    found: list[Record] = []
    for step in range(first, last + 1):
        found.append(Step(step=step, t=float(step), values={"loss": 1 / step, "lr": float(step)}))
        if step % EVERY_VALIDATION == 0:
            found.append(Step(step=step, t=float(step), values={"validation/loss": 2.0 / step}))
        if step % EVERY_SAMPLE == 0:
            path = f"samples/step-{step:06d}"
            found.append(Sample(step=step, t=0.0, path=path, modality="image", count=1))
        if step % EVERY_CHECKPOINT == 0:
            found.append(Checkpoint(step=step, t=0.0, path=f"checkpoints/step-{step:06d}"))
    return found


def start(step: int, attempt: int = 1, of: int = 100) -> Start:
    return Start(step=step, t=0.0, attempt=attempt, of=of)


def crashed(reached: list[int], last: int) -> list[Record]:
    """The log of a run that died after each step in ``reached`` and came back from a checkpoint."""
    log: list[Record] = [start(0)]
    begin = 0
    for attempt, end in enumerate(reached, 2):
        log += steps(begin + 1, max(begin, end))
        begin = max(begin, end) // EVERY_CHECKPOINT * EVERY_CHECKPOINT
        log.append(start(begin, attempt))
    return log + steps(begin + 1, last)


def series(history: History) -> dict[str, list[tuple[float, float]]]:
    return {
        key: list(zip(track.steps.tolist(), track.values.tolist(), strict=True))
        for key, track in history.values.items()
    }


def folded(records: Sequence[Record], *cuts: int) -> History:
    """The fold, fed in pieces that end at ``cuts``."""
    history, edges = History(), [0, *sorted(cut % (len(records) + 1) for cut in cuts), len(records)]
    for begin, end in itertools.pairwise(edges):
        history.fold(records[begin:end])
    return history


@given(st.lists(st.integers(0, 60), max_size=6), st.lists(st.integers(0, 500), max_size=5))
def test_after_any_crashes_the_series_equal_those_of_an_undisturbed_run(
    reached: list[int], cuts: list[int]
) -> None:
    broken, whole = folded(crashed(reached, 60), *cuts), folded([start(0), *steps(1, 60)])
    assert series(broken) == series(whole)
    assert [one.step for one in broken.samples] == [one.step for one in whole.samples]
    assert [one.step for one in broken.checkpoints] == [one.step for one in whole.checkpoints]
    assert broken.step == whole.step == 60


@given(st.lists(any_record(), max_size=40))
def test_no_record_whatever_it_holds_breaks_the_fold(records: list[Record]) -> None:
    history = folded(records)
    for group in history.groups():
        for key in group.keys:
            track = history.track(key)
            assert len(track.steps) == len(track.values)
            assert bool(np.all(np.diff(track.steps) >= 0))


@given(st.integers(1, 30), st.lists(st.integers(0, 200), max_size=5))
@example(1, [94])  # between two records of one step
def test_of_a_long_run_the_last_points_stay(most: int, cuts: list[int]) -> None:
    early: list[Record] = [Step(step=1, t=1.0, values={"warmup": 1.0, "loss": 1.0})]
    records = [start(0), *early, *steps(2, 60)]
    whole, kept = series(folded(records)), History()
    edges = [0, *sorted(cut % (len(records) + 1) for cut in cuts), len(records)]
    for begin, end in itertools.pairwise(edges):
        kept.fold(records[begin:end])
        kept.keep_last(most)
    for key, points in series(kept).items():
        assert points == whole[key][-len(points) :]
        assert min(most, len(whole[key])) <= len(points) <= max(most + most // 8, 1)
    kept.fold([start(55, 2), *steps(56, 58)])
    assert series(kept)["loss"][-1] == (58.0, 1 / 58)


numbers = st.lists(
    st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]),
    min_size=1,
    max_size=150,
)


@given(numbers, st.lists(st.integers(1, 40), max_size=8), st.sampled_from([16, 32, 64]))
def test_a_long_run_is_thinned_and_keeps_its_peaks_and_its_end(
    values: list[float], cuts: list[int], most: int
) -> None:
    logged = [
        Step(
            step=at, t=float(at), values={"loss": scalar(value), **({"lr": 1.0} if at % 3 else {})}
        )
        for at, value in enumerate(values, 1)
    ]
    history, rest = History(most), [*logged]
    while rest:
        size = cuts.pop() if cuts else 7
        history.fold(rest[:size])
        del rest[:size]
        assert max(map(len, history.values.values())) <= most
        assert len(history.times) <= 3 * most
    loss, exact = history.values["loss"], dict(enumerate(values, 1))
    kept = dict(zip(loss.steps.tolist(), loss.values.tolist(), strict=True))
    assert list(kept) == sorted(kept)
    assert all(np.array_equal(kept[at], exact[int(at)], equal_nan=True) for at in kept)
    assert list(kept)[-most // 2 :] == list(exact)[-most // 2 :]
    finite = [value for value in values if math.isfinite(value)]
    assert {*map(min, [finite] * bool(finite)), *map(max, [finite] * bool(finite))} <= {
        *kept.values()
    }
    assert history.is_thinned == (len(values) > most)
    timed = history.times.steps.tolist()
    assert timed == history.times.values.tolist()
    assert {*timed} >= {*kept, *history.values["lr"].steps.tolist()} | {len(values)}
    history.fold([start(len(values) - 1, 2), *steps(len(values), len(values))])
    assert series(history)["loss"][-1] == (len(values), 1 / len(values))


def test_all_scalars_together_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genai_tui.history, "MOST_IN_ALL", 640)
    history = History()
    for at in range(1, 1000):
        values: dict[str, Scalar] = {f"loss-{key}": float(at) for key in range(20)}
        history.fold([Step(step=at, t=float(at), values=values)])
    assert sum(map(len, history.values.values())) <= 640
    assert all(track.values[-1] == 999 for track in history.values.values())


def test_steps_without_a_scalar_do_not_pile_up() -> None:
    history = History(16)
    for at in range(1, 1000):
        history.fold([Step(step=at, t=float(at), values={})])
    assert len(history.times) <= 17
    assert history.step == 999


def test_the_first_number_that_is_none_is_known_as_long_as_it_counts() -> None:
    history = folded([start(0), *steps(1, 10)])
    assert history.wild == {}
    history.fold([Step(step=11, t=11.0, values={"loss": "NaN"}), *steps(12, 40)])
    history.fold([Step(step=41, t=41.0, values={"loss": "Infinity"})])
    history.keep_last(5)
    assert history.wild["loss"].at == Instant(11.0, 11.0)
    assert math.isnan(history.wild["loss"].value)
    history.fold([start(10, 2)])
    assert history.wild == {}


def test_a_track_says_how_often_points_were_taken_away() -> None:
    history = folded([start(0), *steps(1, 10)])
    assert history.values["loss"].cuts == 0
    history.fold([start(7, 2)])
    assert (history.values["loss"].cuts, len(history.values["loss"])) == (1, 7)
    history.fold([start(7, 3)])
    assert history.values["loss"].cuts == 1


def test_numbers_that_json_lacks_are_gaps_in_the_series() -> None:
    history = folded([Step(step=1, t=0.0, values={"loss": "NaN", "kl": "-Infinity"})])
    assert math.isnan(history.values["loss"].values[0])
    assert history.last("kl") == -math.inf
    assert history.last("unknown") is None


def test_rates_are_kept_apart_from_a_term_of_the_same_name() -> None:
    history = folded([Step(step=1, t=0.0, values={"speed": 1.0}, rates={"speed": 2.0})])
    assert history.values["speed"].values.tolist() == [1.0]
    assert history.rates["speed"].values.tolist() == [2.0]
    assert [group.name for group in history.groups()] == ["speed"]


def test_points_that_go_back_without_a_restart_are_left_out() -> None:
    history = folded([Step(step=step, t=0.0, values={"loss": 1.0}) for step in (1, 5, 3, 6)])
    assert history.values["loss"].steps.tolist() == [1, 5, 6]


def test_steps_that_no_run_reaches_count_as_damaged() -> None:
    history = History()
    history.fold([Step(step=-1, t=0.0), Step(step=LARGEST_STEP, t=0.0)], damaged=2)
    assert (history.damaged, history.step) == (4, 0)


def test_a_log_with_ever_new_keys_does_not_fill_the_memory() -> None:
    history = History()
    history.fold([Step(step=i, t=0.0, values={f"key-{i}": 1.0}) for i in range(2 * MOST_SERIES)])
    assert len(history.values) == MOST_SERIES
    assert history.damaged == MOST_SERIES


def test_what_is_not_a_scalar_is_kept_in_order() -> None:
    mark = Mark(step=3, t=0.0, id="a", verb="pause", answer="accepted")
    notice = Notice(step=3, t=0.0, text="3 files skipped")
    end = End(step=9, t=0.0, state="finished", exit_code=0)
    history = folded([start(0), Phase(step=0, t=0.0, name="training"), mark, notice])
    assert history.phase is not None
    assert history.phase.name == "training"
    assert (history.marks, history.notices, history.end) == ([mark], [notice], None)
    history.fold([end])
    assert (history.end, history.phase) == (end, None)
    history.fold([start(9, 2)])
    assert history.end is None


def test_samples_drawn_again_at_a_step_replace_the_older() -> None:
    twice = [
        Sample(step=5, t=t, path="samples/step-000005", modality="image", count=1)
        for t in (1.0, 2.0)
    ]
    assert folded(twice).samples == twice[1:]


def test_a_hundred_thousand_scalars_fold_in_a_tenth_of_a_second() -> None:
    keys = [f"key-{number}" for number in range(10)]
    log = [Step(step=i, t=0.0, values=dict.fromkeys(keys, 0.5)) for i in range(10_000)]
    began = time.process_time()
    folded(log, *range(0, 10_000, 500))
    assert time.process_time() - began < 0.3  # three times what it takes


@pytest.mark.parametrize(
    ("key", "chart"),
    [
        ("loss", "loss"),
        ("G/loss", "loss"),
        ("D/loss", "loss"),
        ("validation/loss", "loss"),
        ("validation/G/loss", "loss"),
        ("D/r1", "r1"),
        ("D/grad_norm", "grad_norm"),
        ("4-gram/loss", "loss"),
        ("loss_t/0.00-0.25", "loss_t"),
        ("score/fid-classifier", "score"),
        ("/", ""),
    ],
)
def test_keys_share_a_chart_by_what_they_measure(key: str, chart: str) -> None:
    assert group_of(key) == chart


def test_charts_stand_in_the_order_in_which_they_tell() -> None:
    found = grouped(
        ["lr", "D/real", "G/grad_norm", "G/loss", "loss_t/a", "D/loss", "loss_t/b"],
        ["steps_per_second"],
    )
    assert found == [
        Group("loss", ("G/loss", "D/loss")),
        Group("real", ("D/real",)),
        Group("loss_t", ("loss_t/a", "loss_t/b")),
        Group("grad_norm", ("G/grad_norm",)),
        Group("lr", ("lr",)),
        Group("steps_per_second", ("steps_per_second",)),
    ]


def test_lines_are_named_by_what_their_chart_does_not_say() -> None:
    assert short_names(Group("loss", ("loss", "validation/loss"))) == ["train", "validation"]
    assert short_names(Group("loss_t", ("loss_t/a", "loss_t/b"))) == ["a", "b"]
    assert short_names(Group("real", ("D/real",))) == ["D/real"]
