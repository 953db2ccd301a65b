"""The language that finds runs: what each term means, and that nothing typed can break it."""

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.records import Status
from genai_tui import run_query
from genai_tui.run import Summary
from genai_tui.run_query import parse
from genai_tui.run_terms import Facts
from genai_tui.visible import visible

NOW = 1_795_428_930.0
KNOBS: dict[str, Any] = {"lr": 1e-3, "width": 64, "optimizer": "adamw", "ema": True, "clip": None}


def run(**fields: Any) -> Summary:
    known: dict[str, Any] = {
        "id": "20261122-101530-vae-conv-k3f9",
        "name": "Fashion night",
        "model": "vae/conv",
        "dataset": "fashion-mini",
        "created": NOW - 3 * 86_400,
        "state": "running",
        "status": Status(step=1400, of=2000, loss=0.25, steps_per_second=12.5, eta=600.0),
        "tags": ("night", "best"),
        "note": "wider than before",
    }
    return Summary(**{**known, **fields})


def knob(_: str, name: str) -> Any:
    return KNOBS[name]


def holds(text: str, one: Summary | None = None) -> bool:
    query = parse(text)
    assert query.problems == ()
    return query.holds(one or run(), Facts(NOW, knob))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "fashion",
        "FASHION conv",
        '"fashion night"',
        "running",
        "best",
        "wider",
        "k3f9",
        "model:vae",
        "model:conv data:fashion",
        "state:running",
        "state:run",
        "tag:night",
        "tag:NIG",
        "tag=best",
        "name:fashion",
        'name="fashion night"',
        'name:"on night"',
        "note:wider",
        "loss<0.3",
        "loss>=0.25",
        "loss=0.25",
        "loss!=0.3",
        "step>1000",
        "step:1,400",
        "of=2k",
        "rate>12",
        "eta<11m",
        "created>2d",
        "created<1w",
        "restarts=0",
        "-gan",
        "-model:gan",
        "-loss>1",
        "gan or vae",
        "gan OR loss<1",
        "state:paused or -tag:day",
        "width:64",
        "width=64",
        "width>32",
        "lr:1e-3",
        "lr<=0.001",
        "optimizer:adamw",
        "optimizer!=adam",
        "ema:yes",
        "clip:none",
        "-dropout>0",
    ],
)
def test_what_finds_the_run(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "gan",
        "fashion gan",
        '"night fashion"',
        "model:fashion",
        "state:paused",
        "state!=running",
        "tag=nigh",
        "name=fashion",
        "loss>0.3",
        "loss<0.25",
        "step<1,000",
        "created<2d",
        "created>1w",
        "eta>1h",
        "-fashion",
        "-tag:night",
        "gan or state:paused",
        "width:32",
        "lr>1e-2",
        "optimizer:adam",
        "ema:no",
        "dropout>0",
        "loss=nan",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not holds(text)


def test_a_day_is_compared_with_the_day_a_run_was_created() -> None:
    made = run(created=time.mktime((2026, 11, 20, 15, 30, 0, 0, 0, -1)))
    assert holds("created=2026-11-20", made)
    assert holds("created>2026-11-19", made)
    assert not holds("created>2026-11-20", made)
    assert holds("created<=2026-11-20", made)


def test_what_is_unknown_is_neither_less_nor_more() -> None:
    bare = run(status=Status(), created=0.0)
    for text in ("loss<1", "loss>=1", "eta<1h", "rate>0", "created>1s", "created<2030-01-01"):
        assert not holds(text, bare), text
    lost = run(status=Status(loss="NaN"))
    assert holds("loss=nan", lost)
    assert not holds("loss<1", lost)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("loss<", "loss< needs a number, as in loss<0.3"),
        ("step>", "step> needs a number, as in step>1000"),
        ("loss<abc", "loss<abc needs a number, as in loss<0.3"),
        ("created>soon", "created>soon needs a time (s, m, h, d or w), as in created>2d or"),
        ("state:runing", "there is no state runing; there are queued, starting, running"),
        ("model:", "model: needs a text, as in model:gan"),
        ("model<3", "model<3 cannot be compared: model is a text, as in model:…"),
        ("lr>fast", "lr>fast needs a number, as in lr>0.5"),
        ("width:", "width: needs a value, as in width:1"),
    ],
)
def test_a_term_that_means_nothing_is_left_out_with_a_sentence(text: str, sentence: str) -> None:
    query = parse(f"fashion {text}")
    assert len(query.problems) == 1
    assert query.problems[0].startswith(sentence)
    assert query.holds(run(), Facts(NOW, knob))
    assert not query.holds(run(name="x", dataset="y"), Facts(NOW, knob))


def test_an_or_that_leads_nowhere_is_as_if_it_were_not_there() -> None:
    assert parse("or gan or or") == parse("gan")
    assert parse("or").either == ()


def test_the_knobs_that_have_to_be_read_are_named() -> None:
    assert parse("lr>1 -width:3 loss<1 gan").knobs == {"lr", "width"}


# --------------------------------------------------------------------------- anything at all

TERMS = ["fashion", "gan", "loss<0.3", "step>2k", "state:paused", "width:64", "tag:night", "eta<1d"]
terms = st.sampled_from(TERMS)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    query = parse(text)
    assert query.holds(run(), Facts(NOW, knob)) in (True, False)
    assert all(problem == visible(problem) for problem in query.problems)


@given(st.lists(st.text('loss<>=!:-"or 0123456789.,ekd', max_size=12), max_size=6))
def test_nothing_that_looks_like_the_language_breaks_it(words: list[str]) -> None:
    query = parse(" ".join(words))
    assert query.holds(run(), Facts(NOW, knob)) in (True, False)


@given(terms, terms)
def test_terms_are_all_needed_or_turns_it_around_and_a_dash_negates(one: str, two: str) -> None:
    assert holds(f"{one} {two}") == (holds(one) and holds(two))
    assert holds(f"{one} or {two}") == (holds(one) or holds(two))
    assert holds(f"-{one}") != holds(one)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["<", ">", "<=", ">="]))
def test_a_number_is_compared_as_python_does(limit: float, operator: str) -> None:
    wanted = eval(f"0.25 {operator} limit")
    assert holds(f"loss{operator}{limit!r}") == wanted


@given(st.integers(0, 10**9))
def test_a_number_may_have_commas(value: int) -> None:
    assert run_query.parse(f"step={value:,}").either == run_query.parse(f"step={value}").either
    assert not math.isnan(value)
