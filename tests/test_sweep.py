"""Many runs of one wish: which they are, what they are called, and that it is all or none."""

from collections.abc import Mapping
from typing import Any

import pytest
from cli_tools import Cli, inside
from hypothesis import given
from hypothesis import strategies as st

from backends.records import Plan, PlanRequest, RunSpec
from genai_tui import launch, sweep
from genai_tui.annotations import NAME_LENGTH, name_problem, tag_problem
from genai_tui.errors import UserError
from genai_tui.store import Run, Store


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


def test_every_combination_is_a_run() -> None:
    assert sweep.combinations(["lr=1e-3,3e-3", "seed=0,1"]) == [
        {"lr": "1e-3", "seed": "0"},
        {"lr": "1e-3", "seed": "1"},
        {"lr": "3e-3", "seed": "0"},
        {"lr": "3e-3", "seed": "1"},
    ]
    assert sweep.combinations(["lr=1, 2,1"]) == [{"lr": "1"}, {"lr": "2"}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lr"], "--sweep takes KNOB=VALUE,VALUE"),
        (["=1,2"], "--sweep takes KNOB=VALUE,VALUE"),
        (["lr=1,,2"], "--sweep takes KNOB=VALUE,VALUE"),
        (["lr=1", "lr=2"], "lr is swept twice"),
        (["a=" + ",".join(map(str, range(20))), "b=" + ",".join(map(str, range(20)))], "400 runs"),
    ],
)
def test_what_is_no_sweep_is_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        sweep.combinations(words)


plain = st.text("abcdefgh0123456789.-_", min_size=1, max_size=30)


@given(plain, st.dictionaries(plain, plain, min_size=1, max_size=4))
def test_a_name_can_be_a_runs(base: str, settings: dict[str, str]) -> None:
    name = sweep.name_of(base, settings)
    assert len(name) <= NAME_LENGTH
    assert not name_problem(name)


def test_the_tag_is_one() -> None:
    assert tag_problem(sweep.new_tag()) == ""


# --------------------------------------------------------------------------- the command


class Warm:
    """A planner that agrees with all but a width of 13."""

    def plan(self, request: PlanRequest) -> Plan:
        if request.settings.get("width") == "13":
            return Plan(error="width must be even")
        return Plan(dataset="fashion-mini", train_config={"steps": 5})

    def close(self) -> None: ...


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunSpec, bool]]:
    found: list[tuple[RunSpec, bool]] = []

    def start(run: Run, steps: int | None = None, *, queue: bool = False) -> None:
        found.append((run.spec(), queue))

    monkeypatch.setattr(launch, "start", start)
    monkeypatch.setattr(launch, "Planner", Warm)
    return found


def test_a_sweep_is_queued_under_one_tag(
    cli: Cli, store: Store, started: list[tuple[RunSpec, bool]]
) -> None:
    words = ("train", "vae/conv", "--name", "shoes", "--sweep", "lr=1e-3,3e-3", "--sweep", "seed=7")
    told: list[Mapping[str, Any]] = cli(*words, "--json").json
    assert [run["name"] for run in told] == ["shoes,lr=1e-3,seed=7", "shoes,lr=3e-3,seed=7"]
    assert [(spec.seed, queue) for spec, queue in started] == [(7, True), (7, True)]
    [tag] = {tag for run in store.summaries() for tag in run.tags}
    assert tag.startswith("sweep-")
    assert [run["tags"] for run in told] == [[tag], [tag]]
    assert len(cli("runs", "--filter", f"tag:{tag}", "--json").json) == 2


def test_a_sweep_with_one_run_that_cannot_be_leaves_none(
    cli: Cli, store: Store, started: list[tuple[RunSpec, bool]]
) -> None:
    cli("train", "vae/conv", "--sweep", "width=12,13").refused("width must be even")
    assert store.runs() == []
    assert started == []
    cli("train", "vae/conv", "--set", "lr=1", "--sweep", "lr=1,2").refused("both set and swept")
    cli("train", "vae/conv", "--sweep", "seed=one,2").refused("a seed is a whole number")


def test_train_can_wait_for_its_turn(cli: Cli, started: list[tuple[RunSpec, bool]]) -> None:
    assert cli("train", "vae/conv", "--queue", "--detach").status == 0
    [(_, queue)] = started
    assert queue
