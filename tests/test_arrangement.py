"""How charts are arranged: pinned, hidden, moved, and remembered whatever happens to the file."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui import arrangement
from genai_tui.arrangement import Arrangement

NAMES = ["loss", "kl", "grad_norm", "lr"]
SOME = st.lists(st.sampled_from(string.ascii_lowercase), unique=True)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path))


@given(SOME, SOME, SOME)
def test_every_chart_has_one_place(names: list[str], order: list[str], pinned: list[str]) -> None:
    arranged = Arrangement(order=tuple(order), pinned=tuple(pinned)).arranged(names)
    assert sorted(arranged) == sorted(names)
    assert [name for name in arranged if name in pinned] == arranged[: len(set(pinned) & {*names})]


def test_a_new_chart_stands_behind_its_neighbour() -> None:
    moved = Arrangement(order=("lr", "grad_norm", "loss"))
    assert moved.arranged(NAMES) == ["lr", "grad_norm", "loss", "kl"]
    assert moved.arranged(["first", *NAMES]) == ["first", "lr", "grad_norm", "loss", "kl"]


def test_charts_move_among_those_that_are_shown() -> None:
    hidden = Arrangement().hide("kl")
    moved = hidden.move(NAMES, ["loss", "grad_norm", "lr"], "loss", 1)
    assert moved.arranged(NAMES) == ["kl", "grad_norm", "loss", "lr"]
    assert moved.move(moved.arranged(NAMES), ["grad_norm", "loss", "lr"], "lr", 1) == moved


def test_pinned_charts_move_among_themselves() -> None:
    pinned = Arrangement().pin("lr").pin("kl")
    names = pinned.arranged(NAMES)
    assert names == ["lr", "kl", "loss", "grad_norm"]
    assert pinned.move(names, names, "kl", 1) == pinned
    assert pinned.move(names, names, "kl", -1).arranged(NAMES)[:2] == ["kl", "lr"]
    assert pinned.pin("lr").arranged(NAMES) == ["kl", "loss", "grad_norm", "lr"]


def test_what_a_run_lacks_is_kept_for_the_run_that_has_it() -> None:
    moved = Arrangement(order=("score", "loss"), pinned=("score",))
    after = moved.move(NAMES, NAMES, "loss", 1)
    assert after.arranged(["score", *NAMES])[0] == "score"


def test_it_is_remembered_for_each_model(tmp_path: Path) -> None:
    arrangement.save("vae/conv", Arrangement(pinned=("kl",)))
    assert arrangement.load("vae/conv").pinned == ("kl",)
    assert arrangement.load("gan/dcgan") == Arrangement()
    assert [path.suffix for path in (tmp_path / "charts").iterdir()] == [".json"]


@pytest.mark.parametrize("model", ["../../etc/passwd", "a/b/../c", "", "\x00", "x" * 500, "模型"])
def test_no_name_leads_out_of_the_folder(model: str, tmp_path: Path) -> None:
    arrangement.save(model, Arrangement(hidden=("a",)))
    (file,) = (tmp_path / "charts").iterdir()
    assert file == arrangement.file_of(model)
    assert arrangement.load(model).hidden == ("a",)


@given(st.binary(max_size=80) | st.just(b'{"pinned": 3}') | st.just(b"[" * 5000))
def test_a_damaged_file_is_no_arrangement(data: bytes) -> None:
    path = arrangement.file_of("vae/conv")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    assert isinstance(arrangement.load("vae/conv"), Arrangement)


def test_one_axis_or_all_of_them_are_logarithmic_and_back() -> None:
    one = Arrangement().scale("kl")
    assert one.log == ("kl",)
    every = one.scale(*NAMES)
    assert sorted(every.log) == sorted(NAMES)
    assert every.scale(*NAMES).log == ()
    assert sorted(every.scale("lr").log) == ["grad_norm", "kl", "loss"]


@pytest.mark.parametrize("smoothing", ["1.5", "-0.1", "1e999"])
def test_a_smoothing_that_is_none_is_as_good_as_none(smoothing: str) -> None:
    file = arrangement.file_of("vae/conv")
    file.parent.mkdir(parents=True)
    file.write_text(f'{{"log": ["loss"], "smoothing": {smoothing}}}')
    found = arrangement.load("vae/conv")
    assert found.smoothing is None
    assert found.log in (("loss",), ())  # a number that JSON lacks spoils the whole file
