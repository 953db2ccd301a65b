"""The order of the list and its headings."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backends.records import Status
from genai_tui.store import Summary
from genai_tui.widgets import run_order
from genai_tui.widgets.run_order import SORTS, Row, ordered


def run(id: str, **fields: Any) -> Summary:
    known: dict[str, Any] = {"name": id, "model": "vae/conv", "dataset": "digits", "created": 1.0}
    return Summary(id=id, **{**known, "state": "finished", "status": Status(), **fields})


def lines(rows: list[Row]) -> list[str]:
    return [row.indent + row.run.name if row.run else row.heading for row in rows]


def names(runs: list[Summary]) -> str:
    return "".join(run.name for run in runs)


LOSSES = [
    run("a", status=Status(loss=0.5, step=10)),
    run("b", status=Status(loss="NaN", step=30)),
    run("c", status=Status(loss=0.1, step=20)),
    run("d"),
]


def test_the_best_comes_first_and_what_is_unknown_last_both_ways() -> None:
    assert names(ordered(LOSSES, "loss")) == "cabd"
    assert names(ordered(LOSSES, "loss", backwards=True)) == "acbd"
    assert names(ordered(LOSSES, "step")) == "bcad"
    assert names(ordered(LOSSES, "age", backwards=True)) == "dcba"
    assert names(ordered(LOSSES, "no such column")) == "abcd"


def test_the_liveliest_comes_first() -> None:
    runs = [run(state, state=state) for state in ("finished", "queued", "running", "failed")]
    assert [one.name for one in ordered(runs, "state")] == [
        *("running", "queued", "failed", "finished"),
    ]


def test_groups_stand_where_their_first_run_does() -> None:
    runs = [run("a"), run("b", model="gan/mlp"), run("c"), run("d", model="")]
    assert lines(run_order.rows(runs, "model")) == [
        *("vae/conv · 2 runs", "a", "c"),
        *("gan/mlp · 1 run", "b"),
        *("unknown · 1 run", "d"),
    ]
    assert lines(run_order.rows(runs, "data")) == ["digits · 4 runs", "a", "b", "c", "d"]


def test_forks_stand_below_what_they_began_with_and_sweeps_below_their_name() -> None:
    runs = [
        run("f2", parent="root"),
        run("s2", tags=("sweep-x",)),
        run("alone", parent="deleted"),
        run("s1", tags=("best", "sweep-x")),
        run("g", parent="f1"),
        run("f1", parent="root"),
        run("root"),
        run("of-s1", parent="s1"),
    ]
    assert lines(run_order.rows(runs, "tree")) == [
        *("sweep-x · 2 runs", "├ s2", "└ s1", "  └ of-s1"),
        "alone",
        *("root", "├ f2", "└ f1", "  └ g"),
    ]


def test_what_the_names_of_a_sweep_share_is_said_once() -> None:
    runs = [run(lr, tags=("sweep-x",), name=f"shoes,lr={lr}") for lr in ("1e-3", "3e-3")]
    heading, first, second = run_order.rows(runs, "tree")
    assert heading.heading == "shoes · sweep-x · 2 runs"
    assert [row.run.name[row.skip :] for row in (first, second) if row.run] == [
        "lr=1e-3",
        "lr=3e-3",
    ]


def test_parents_in_a_circle_and_long_lines_of_descent_are_listed_all_the_same() -> None:
    circle = [run("a", parent="b"), run("b", parent="a"), run("c", parent="c")]
    assert lines(run_order.rows(circle, "tree")) == ["c", "a", "b"]
    chain = [run(str(i), parent=str(i - 1)) for i in range(3000)]
    assert len(run_order.rows(chain, "tree")) == 3000


parents = st.sampled_from(["", *"abcdefgh", "gone"])


@given(st.lists(parents, min_size=8, max_size=8), st.sampled_from(run_order.GROUPINGS))
def test_every_run_is_listed_once(above: list[str], grouping: run_order.Grouping) -> None:
    runs = [run(name, parent=parent) for name, parent in zip("abcdefgh", above, strict=True)]
    shown = [row.run.id for row in run_order.rows(runs, grouping) if row.run]
    assert sorted(shown) == sorted("abcdefgh")


@given(st.sampled_from(list(SORTS)), st.booleans(), st.permutations(LOSSES))
def test_an_order_loses_nobody(by: str, backwards: bool, runs: list[Summary]) -> None:
    assert sorted(one.id for one in ordered(runs, by, backwards)) == list("abcd")
