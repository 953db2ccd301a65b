"""What sets runs apart: knobs, values, samples; as functions and on the command line."""

import math

import build_runs
import pytest
from build_runs import NOW
from cli_tools import Cli, inside
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backends.records import RunSpec, Sample, SampleRequest, Start, Step, scalar
from genai_tui import comparison, table
from genai_tui.comparison import Reading
from genai_tui.history import History
from genai_tui.store import Store


def spec(id: str = "a", **changes: object) -> RunSpec:
    return RunSpec(**{"id": id, "name": id, "model": "vae/mlp", "dataset": "mini", **changes})  # pyright: ignore[reportArgumentType]


def history(key: str, *values: float) -> History:
    found = History()
    found.fold(Step(step=10 * i, t=NOW, values={key: scalar(v)}) for i, v in enumerate(values, 1))
    return found


def drawn(step: int, seed: int = 0, command: str = "") -> Sample:
    path = f"samples/step-{step:06d}{command}"
    request = SampleRequest(seed=seed)
    return Sample(
        step=step, t=NOW, path=path, modality="image", count=4, request=request, command=command
    )


# ---------------------------------------------------------------------------- colours


@given(st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True))
def test_no_two_runs_share_a_colour_and_a_run_alone_keeps_its_own(ids: list[str]) -> None:
    found = comparison.colours(ids)
    assert len(set(found)) == len(ids)
    assert found[0] == comparison.colours(ids[:1])[0]
    assert found == comparison.colours(ids)


# ---------------------------------------------------------------------------- knobs


def test_knobs_that_differ_are_told_from_equal_ones_and_from_missing_ones() -> None:
    one = spec(train_config={"lr": 0.1, "steps": 10, "compile": True}, seed=1)
    other = spec("b", train_config={"lr": 0.2, "steps": 10, "compile": 1}, data_config={"side": 8})
    found = {row.name: row for row in comparison.knobs([one, other])}
    assert [name for name, row in found.items() if row.differs] == ["seed", "side", "lr", "compile"]
    assert found["lr"].texts() == ["0.1", "0.2"]
    assert found["side"].texts() == ["–", "8"]
    assert found["compile"].texts() == ["yes", "1"]


def test_none_is_a_value_and_not_a_missing_knob() -> None:
    rows = comparison.knobs([spec(train_config={"a": None}), spec("b", train_config={})])
    (row,) = [row for row in rows if row.name == "a"]
    assert (row.differs, row.texts()) == (True, ["none", "–"])


# ---------------------------------------------------------------------------- scalars


@pytest.mark.parametrize(
    ("key", "better"),
    [
        ("loss", "down"),
        ("validation/loss", "down"),
        ("bits_per_dim", "down"),
        ("fid-inception", "down"),
        ("recall-classifier", "up"),
        ("validation/psnr", "up"),
        ("G/loss", None),
        ("validation/D/loss", None),
        ("kl", None),
        ("lr", None),
        ("steps_per_second", None),
    ],
)
def test_it_is_known_what_is_better_only_where_it_is_true(key: str, better: str | None) -> None:
    assert comparison.direction(key) == better


def test_the_best_is_marked_among_runs_that_learn_the_same() -> None:
    histories = [history("loss", 3, 1, 2), history("loss", 3, 2, 1.5)]
    (row,) = comparison.scalars([spec(), spec("b")], histories)
    assert row.last == (Reading(30, 2), Reading(30, 1.5))
    assert row.best == (Reading(20, 1), Reading(30, 1.5))
    assert (row.leaders, row.last_leaders) == ({0}, {1})
    (row,) = comparison.scalars([spec(), spec("b", model="vae/conv")], histories)
    assert not row.comparable
    assert not row.leaders
    (row,) = comparison.scalars(
        [spec(), spec("b", model="gpt")], [history("bleu", 1), history("bleu", 2)]
    )
    assert row.leaders == {1}


def test_what_is_not_finite_is_never_the_best() -> None:
    found = comparison.scalars(
        [spec(), spec("b")], [history("loss", math.nan, 4), history("loss", math.nan, -math.inf)]
    )
    assert found[0].best == (Reading(20, 4), None)
    assert found[0].leaders == frozenset()  # there is nothing to compare with


def test_values_can_be_read_at_a_step() -> None:
    histories = [history("loss", 3, 1, 2), History()]
    (row,) = comparison.scalars([spec(), spec("b")], histories, [25, 25])
    assert row.last == (Reading(20, 1), None)
    (row,) = comparison.scalars([spec(), spec("b")], histories, [5, 5])
    assert row.last == (None, None)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=20),
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=20),
)
def test_no_value_beats_the_best(one: list[float], other: list[float]) -> None:
    histories = [history("loss", *one), history("loss", *other)]
    (row,) = comparison.scalars([spec(), spec("b")], histories)
    finite = [[v for v in values if math.isfinite(v)] for values in (one, other)]
    for reading, values in zip(row.best, finite, strict=True):
        assert (reading.value if reading else None) == min(values, default=None)


# ---------------------------------------------------------------------------- samples


def test_samples_of_a_step_are_the_newest_before_it_of_the_same_seed() -> None:
    found = History()
    found.fold([drawn(0), drawn(100), drawn(150, seed=9, command="-x"), drawn(200)])
    at = lambda step, seed: comparison.sample_at(found, step, seed)  # noqa: E731
    assert at(199, 0) == drawn(100)
    assert at(199, 9) == drawn(150, seed=9, command="-x")
    assert at(199, 5) == drawn(100)  # no such seed: what the training drew by itself
    assert at(200, 0) == drawn(200)
    assert at(-1, 0) is None
    assert comparison.sampled_steps([found, History()]) == [0, 100, 150, 200]


# ---------------------------------------------------------------------------- columns


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=1, max_size=5)
    ),
    st.integers(60, 120),
)
def test_a_row_never_is_wider_than_the_room(rows: list[list[str]], room: int) -> None:
    widths = table.widths_of(rows, room)
    for row in rows:
        cells = [table.cell(text, width) for text, width in zip(row, widths, strict=True)]
        assert [cell_len(text) for text in cells] == widths
        assert cell_len((" " * table.gap_of(len(widths), room)).join(cells)) <= room


@pytest.mark.parametrize("letter", ["a", "全", "e\u0301"])
def test_a_megabyte_is_cut_as_quickly_as_a_word(letter: str) -> None:
    """Letter by letter that took minutes, in which the studio heard no key."""
    text = letter * 500_000
    assert cell_len(table.last_cells(text, 40)) <= 40
    assert table.cell(text, 40).startswith("…")
    assert cell_len(table.cell(text, 40)) == 40
    assert sum(table.widths_of([[text, text, "b"]], 80)) <= 80


def test_a_long_name_keeps_its_beginning_and_a_long_value_its_end() -> None:
    assert table.cell("a_long_name", 8, name=True) == "a_long_…"
    assert table.cell("/data/mine", 6) == "…/mine"


# ---------------------------------------------------------------------------- the command line


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    build_runs.build(store, "one", seed=1, step=100, train={"lr": 0.001, "steps": 100})
    build_runs.build(store, "two", seed=2, step=200, train={"lr": 0.002, "steps": 100})
    return inside(store, capsys)


def test_compare_says_what_differs_and_how_far_each_has_come(cli: Cli) -> None:
    said = cli("compare", "one", "two")
    assert (said.status, said.err) == (0, "")
    lines = [line.split() for line in said.out.splitlines()]
    assert ["train", "lr", "0.001", "0.002"] in lines
    assert not any(line[:2] == ["train", "steps"] for line in lines)
    assert any(line[:2] == ["loss", "last"] and len(line) == 4 for line in lines)
    everything = cli("compare", "one", "two", "--all").out
    assert "train steps" in everything


def test_compare_as_json_is_by_id(cli: Cli, store: Store) -> None:
    said = cli("compare", "one", "two", "--json").json
    one, two = (store.run(name).id for name in ("one", "two"))
    assert [run["id"] for run in said["runs"]] == [one, two]
    assert {"section": "train", "knob": "lr", "values": {one: 0.001, two: 0.002}} in said[
        "differences"
    ]
    loss = next(row for row in said["scalars"] if row["name"] == "loss")
    assert (loss["better"], loss["comparable"]) == ("lower", True)
    assert loss["last"][one]["step"] == 100
    assert loss["best_of_all"] == [min(loss["best"], key=lambda id: loss["best"][id]["value"])]


def test_compare_needs_two_different_runs(cli: Cli) -> None:
    cli("compare", "one", "one").refused("2 to 8 different runs", "not 1")
    cli("compare", "one", "no-such").refused("no run")


def test_an_attempt_that_was_thrown_away_is_not_compared() -> None:
    found = history("loss", 3, 0.1)
    found.fold([Start(step=10, t=NOW, attempt=2, of=100), Step(step=20, t=NOW, values={"loss": 2})])
    (row,) = comparison.scalars([spec()], [found])
    assert row.best == (Reading(20, 2),)
