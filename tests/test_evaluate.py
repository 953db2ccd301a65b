"""``evaluate``: a worker scores a checkpoint, the run keeps what it found, every front shows it."""

import io
import os
from pathlib import Path
from typing import Any

import build_runs
import pytest
from cli_tools import Cli, inside
from trained import trained

from backends.records import Notice, Phase, Score
from genai_tui import evaluating, liveness, log, scores
from genai_tui.log import Log
from genai_tui.store import Run, Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluating, "stand_back", lambda: None)  # a test does not


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


@pytest.fixture
def text(store: Store) -> Run:
    return trained(store, "autoregressive/gru", validation="0.02")


def scored(run: Run, *found: Score) -> Run:
    """A run with these scores on record."""
    pen = Log(run.scores)
    for score in found:
        pen.append(score)
    pen.close()
    return run


def score(step: int, metric: str, value: float, **fields: Any) -> Score:
    return Score(step=step, t=0.0, metric=metric, value=value, **fields)


def evaluated(run: Run, step: int = -1) -> int:
    return evaluating.evaluate(io.BytesIO(), run.path, step, 0, 0)


def test_the_verb_scores_the_newest_checkpoint_and_the_run_keeps_it(cli: Cli, text: Run) -> None:
    told = cli("evaluate", text.id, "--json").json
    assert told["step"] == 2
    values = {each["metric"]: each["value"] for each in told["scores"]}
    assert values["bits_per_byte"] > 0
    kept = {each.metric: each.value for each in scores.read(text)}
    assert kept == values
    phases = [r.name for r in log.read(text.scores).records if isinstance(r, Phase)]
    assert phases[:3] == ["importing torch", "loading data", "validating"]
    assert not text.is_evaluated()
    assert {each["metric"] for each in cli("show", text.id, "--json").json["scores"]} == {*values}


def test_the_same_checkpoint_has_the_same_scores_and_another_one_others(text: Run) -> None:
    for step in (1, 2, 2):
        assert evaluated(text, step) == 0
    of: dict[int, list[Any]] = {1: [], 2: []}
    for each in scores.read(text):
        of[each.step].append((each.metric, each.value))
    assert of[2][: len(of[1])] == of[2][len(of[1]) :]
    assert of[1] != of[2][: len(of[1])]


def test_the_run_itself_is_left_alone(text: Run) -> None:
    def files() -> dict[str, bytes]:
        found = (path for path in text.path.rglob("*") if path.is_file())
        return {str(p): p.read_bytes() for p in found if not p.name.startswith("scores")}

    before = files()
    assert evaluated(text) == 0
    assert files() == before


def test_two_evaluations_of_a_run_do_not_write_at_once(
    text: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    fd = liveness.hold_keeper(text.path / "scores.lock")
    try:
        assert text.is_evaluated()
        assert evaluated(text) == 1
    finally:
        os.close(fd)
    assert "under way" in capsys.readouterr().err
    assert scores.read(text) == []


def test_why_there_are_no_scores_is_on_record(
    text: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (text.path / "checkpoints" / "step-000002" / "state.json").write_text("damaged")
    assert evaluated(text) == 1
    assert "damaged" in capsys.readouterr().err
    notice = log.read(text.scores).records[-1]
    assert isinstance(notice, Notice)
    assert notice.text.startswith("not evaluated: ")


def test_a_checkpoint_that_is_not_there_is_refused(cli: Cli, text: Run) -> None:
    cli("evaluate", text.id, "--step", "99").refused("no checkpoint at step 99")


def test_the_table_says_in_which_features_and_what_real_data_scores(cli: Cli, store: Store) -> None:
    run = build_runs.build(store, "shoes", telemetry=0, step=200, of=200)
    named = {"features": "classifier-1234", "count": 500, "better": "lower"}
    first = score(100, "fd", 30.0, **named)
    again = score(200, "fd", 25.0, reference=1.5, **named)
    scored(run, first, score(200, "fd", 26.0, **named), again, score(200, "loss", 0.5))
    assert [each.value for each in scores.latest(scores.read(run))] == [25.0, 0.5]
    assert [each.value for each in scores.newest(scores.read(run))] == [25.0, 0.5, 30.0]
    assert list(scores.texts(again)) == [
        *("200", "fd ↓", "25.00", "1.500", "500"),
        "classifier-1234",
    ]
    assert (
        "of step 200, pictures in classifier-1234: fd 25.00  loss 0.5000"
        in cli("show", "shoes").out
    )


def test_runs_are_compared_in_the_same_features_alone(cli: Cli, store: Store) -> None:
    for seed, (name, features, value) in enumerate(
        [("a", "x", 3.0), ("b", "x", 4.0), ("c", "y", 5)]
    ):
        run = build_runs.build(store, name, telemetry=0, step=50, of=50, seed=seed)
        scored(run, score(50, "fd", value, features=features, count=100))
    lines = cli("compare", "a", "b", "c").out.splitlines()
    rows = [line.split() for line in lines if line.startswith("fd-")]
    assert rows == [
        ["fd-x", "of", "100", "3.000", "@50", "4.000", "@50", "–"],
        ["fd-y", "of", "100", "–", "–", "5.000", "@50"],
    ]
    told = cli("compare", "a", "b", "--json").json
    assert [run["scores"][0]["value"] for run in told["runs"]] == [3.0, 4.0]
