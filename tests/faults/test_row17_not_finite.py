"""Row 17: NaN or infinity in a loss, a gradient or a weight; the policy that was chosen holds.

What must hold: "stop" ends with 77 and no checkpoint has a bad weight; "rollback" goes back to the
last checkpoint, says from which step to which, leaves that batch out, ends in the bits of a
training that never saw it, also when it is interrupted, and gives up after a bounded number of
times; "warn" says so once. On record the value is NaN or Infinity, in lines that are valid JSON.
"""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from real_runs import Outcome, create, in_state, outcome, told
from tiny import Inbox, Tiny, command, points, run, same, tiny
from torch import Tensor
from waiting import until

from backends import checkpoints
from backends.model import Batch, Losses
from backends.records import Checkpoint, End, Mark, Notice, Record, RunSpec, Start, scalar
from faults.forked import work
from faults.plugin import Faults, faulty
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import control, launch
from genai_tui.history import History
from genai_tui.log import Log, read
from genai_tui.store import Run, Store


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves is row 14's; here nobody waits for disks."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


STEPS, REAL = 12, 30
BAD = (math.nan, math.inf, -math.inf)
PLACES = ("loss", "gradient", "weight")


class _Spoils(torch.autograd.Function):
    """The identity, whose gradient is ``value``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: float) -> Tensor:
        ctx.value = value
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.value, None


class Spoilt(Tiny):
    """Something of it is no number at the steps ``at``, counted from 1."""

    place = "loss"
    value = math.nan
    at: frozenset[int] = frozenset()

    def loss(self, batch: Batch) -> Losses:
        terms = super().loss(batch)
        if not self.training or round(batch.progress * STEPS) + 1 not in self.at:
            return terms
        if self.place == "loss":
            return {**terms, "loss": terms["loss"] * self.value}
        if self.place == "gradient":
            return {**terms, "loss": _Spoils.apply(terms["loss"], self.value)}  # pyright: ignore[reportReturnType]
        with torch.no_grad():  # as a kernel with a fault would do, after everything was measured
            bias = self.net[5].bias
            assert isinstance(bias, Tensor)
            bias.fill_(self.value)
        return terms


def spoilt(place: str, value: float, *at: int, seed: int = 0) -> Spoilt:
    model = tiny(Spoilt, seed)
    assert isinstance(model, Spoilt)
    model.place, model.value, model.at = place, value, frozenset(at)
    return model


def only(kind: Any, records: Iterable[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def ended(told: list[Record]) -> tuple[str, int, str]:
    end = told[-1]
    assert isinstance(end, End)
    return end.state, end.exit_code, end.reason


def final(folder: Path) -> dict[str, Any]:
    found = checkpoints.load_newest(folder / "checkpoints")
    assert found is not None
    return found[1]


def all_finite(folder: Path) -> bool:
    root = folder / "checkpoints"
    states = [
        checkpoints.load(checkpoints.folder_of(root, step)) for step in checkpoints.steps(root)
    ]
    return all(t.isfinite().all() for state in states for t in state["model"].values())


def changes(policy: str, **more: Any) -> dict[str, Any]:
    quiet = {"steps": STEPS, "checkpoint_every": 3, "log_every": 2, "keep_checkpoints": 99}
    return {**quiet, "nan_policy": policy, **more}


CASES = [(place, value, at) for place in PLACES for value in BAD for at in (6, STEPS, 1, 2, 5, 7)]


@counts("many", quick=6, full=len(CASES))
def test_a_rolled_back_training_is_one_that_never_saw_the_batch(
    tmp_path: Path, many: int, scorecard: Entry
) -> None:
    for index, (place, value, at) in enumerate(CASES[:: len(CASES) // many]):
        folder = tmp_path / str(index)
        told = run(folder / "a", spoilt(place, value, at), **changes("rollback"))
        never = without(folder / "b", at)
        back = only(Start, told)[1:]
        marks = [mark for mark in only(Mark, told) if mark.verb == "rollback"]
        assert ended(told)[0] == "finished"
        assert points(told) == points(never)
        assert same(final(folder / "a"), final(folder / "b"))
        assert all_finite(folder / "a")
        assert [start.attempt for start in back] == [1]
        assert [mark.answer for mark in marks] == ["accepted", "done"]
        detail = f"from step {marks[0].step} to {back[0].step}; the batch of step {at} is skipped"
        assert marks[1].detail == back[0].note == f"{marks[0].detail}: {detail}"
    scorecard(row=17, tried=many, lost=0)


def without(folder: Path, *skips: int) -> list[Record]:
    run(folder, tiny(), **changes("rollback"), inbox=Inbox({0: [command("stop")]}))
    root = folder / "checkpoints"
    state = checkpoints.load(checkpoints.folder_of(root, 0))
    state["loop"]["skips"] = list(skips)
    checkpoints.save(root, 0, state)
    return run(folder, tiny(seed=5), **changes("rollback"))


@counts("many", quick=3, full=STEPS)
def test_a_rolled_back_training_that_is_interrupted_ends_the_same(
    tmp_path: Path, many: int, scorecard: Entry
) -> None:
    """Stopped after each of its steps, before and after it went back."""
    straight = run(tmp_path / "a", spoilt("gradient", math.nan, 5, 8), **changes("rollback"))
    for look in range(0, STEPS, STEPS // many):
        folder = tmp_path / str(look)
        stop = Inbox({look: [command("stop")]})
        model = spoilt("gradient", math.nan, 5, 8)
        first = run(folder, model, **changes("rollback"), inbox=stop)
        again = spoilt("gradient", math.nan, 5, 8, seed=9)
        second = run(folder, again, **changes("rollback"), attempt=2)
        assert points([*first, *second]) == points(straight)
        assert same(final(folder), final(tmp_path / "a"))
        assert final(folder)["loop"]["skips"] == [5, 8]
    scorecard(row=17, tried=many, lost=0)


def test_going_back_ends(tmp_path: Path, scorecard: Entry) -> None:
    """Every batch is bad: three are skipped, then the training ends and keeps what was good."""
    model = spoilt("loss", math.nan, *range(5, STEPS + 1))
    told = run(tmp_path, model, **changes("rollback"))
    assert ended(told)[:2] == ("failed", 77)
    assert "going back to step 6 and skipping batches did not help" in ended(told)[2]
    assert final(tmp_path)["loop"]["skips"] == [5, 6, 7]
    assert all_finite(tmp_path)
    resumed = run(tmp_path, spoilt("loss", math.nan, *range(5, STEPS + 1)), **changes("rollback"))
    assert ended(resumed)[1] == 77
    assert len(only(Start, resumed)) == 1  # what was tried is remembered
    scorecard(row=17, tried=2, lost=0)


@counts("many", quick=3, full=len(CASES))
def test_a_stop_saves_no_weight_that_is_no_number(
    tmp_path: Path, many: int, scorecard: Entry
) -> None:
    for index, (place, value, at) in enumerate(CASES[:: len(CASES) // many]):
        folder = tmp_path / str(index)
        loose = changes("stop", clip_grad=0.0, log_every=STEPS)  # so nothing looks at gradients
        told = run(folder, spoilt(place, value, at), **loose)
        assert ended(told)[:2] == ("failed", 77)
        assert "the weights went wrong there and were not saved" in ended(told)[2]
        assert all_finite(folder)
    scorecard(row=17, tried=many, lost=0)


@pytest.mark.parametrize("place", PLACES)
def test_a_warning_is_said_once_and_goes_on(tmp_path: Path, place: str, scorecard: Entry) -> None:
    model = spoilt(place, math.inf, 4)
    told = run(tmp_path, model, **changes("warn", sample_every=2))
    assert ended(told)[0] == "finished"
    assert len(only(Notice, told)) == 1
    assert only(Checkpoint, told)[-1].step == STEPS
    scorecard(row=17, tried=1, lost=0)


def test_what_is_no_number_is_shown_as_such_and_the_log_stays_json(
    tmp_path: Path, scorecard: Entry
) -> None:
    log = Log(tmp_path / "records.jsonl")
    for value in BAD:
        folder = tmp_path / str(value)
        for record in run(folder, spoilt("loss", value, 4), **changes("stop", log_every=1)):
            log.append(record)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    steps = [json.loads(line, parse_constant=refuse) for line in lines]
    shown = [
        line["values"]["loss"] for line in steps if line["kind"] == "step" and line["step"] == 4
    ]
    assert shown == [scalar(value) for value in BAD]
    history, chunk = History(), read(tmp_path / "records.jsonl")
    history.fold(chunk.records, chunk.damaged)
    assert history.damaged == 0
    assert history.values["loss"].values[-1] == -math.inf
    scorecard(row=17, tried=len(BAD), lost=0)


def test_who_goes_back_drops_what_it_took_back_and_is_one_attempt(tmp_path: Path) -> None:
    history = History()
    history.fold(run(tmp_path, spoilt("loss", math.nan, 8), **changes("rollback", log_every=1)))
    assert len(history.starts) == 1
    assert history.crashes == []
    assert math.isfinite(history.values["loss"].values.sum())
    assert list(history.values["loss"].steps) == [step for step in range(1, STEPS + 1) if step != 8]


def test_an_order_that_meets_a_bad_step_is_carried_out_after_going_back(tmp_path: Path) -> None:
    turn = command("set", knob="lr", value=0.5)
    inbox = Inbox({8: [turn, command("checkpoint")]})
    quiet = changes("rollback", log_every=STEPS, checkpoint_every=5)
    told = run(tmp_path, spoilt("loss", math.nan, 8), **quiet, inbox=inbox)
    answers = [(mark.verb, mark.answer) for mark in only(Mark, told) if mark.verb != "rollback"]
    assert ("set", "done") in answers
    assert final(tmp_path)["loop"]["overrides"] == {"lr": 0.5}


# ------------------------------------------------------------------ a real worker and its keeper


def real(policy: str) -> RunSpec:
    return faulty(small(steps=REAL, checkpoint_every=5, validate_every=0, nan_policy=policy))


def skipping(spec: RunSpec, store: Store, step: int) -> Outcome:
    """The outcome of a run that never sees the batch of a step."""
    made = create(store, spec)
    control.put(made.control, "stop")
    assert work(made, REAL) == 75
    root = made.path / "checkpoints"
    [begun] = checkpoints.steps(root)
    state = checkpoints.load(checkpoints.folder_of(root, begun))
    state["loop"]["skips"] = [step]
    checkpoints.save(root, begun, state)
    assert work(made, REAL, 2) == 0
    return outcome(made.path, told(made))


def trained(policy: str, faults: Faults, store: Store, *states: str) -> Run:
    """A run whose loss is NaN at step 18, when its keeper has left."""
    faults.plan("nan", step=17, of=REAL, once=False)
    made = create(store, real(policy))
    launch.start(made)
    until(in_state(made, *states), 60)
    until(lambda: not made.is_held())
    assert made.status().restarts == 0
    lines = made.records.read_text(encoding="utf-8").splitlines()
    steps = [line for line in map(json.loads, lines) if line["kind"] == "step"]
    assert min(line["step"] for line in steps if "NaN" in line["values"].values()) == 18
    return made


def test_a_real_worker_goes_back_and_ends_as_if_it_had_never_seen_the_batch(
    store: Store, faults: Faults, scorecard: Entry
) -> None:
    never = skipping(real("rollback"), store, 18)
    made = trained("rollback", faults, store, "finished")
    assert [start.step for start in told(made, Start)] == [0, 15]
    scorecard(row=17, tried=1, lost=not never.is_that_of(made))


@pytest.mark.faults_long
def test_a_real_worker_stops(store: Store, faults: Faults, scorecard: Entry) -> None:
    made = trained("stop", faults, store, "failed")
    status = made.status()
    assert (status.exit_code, [end.exit_code for end in told(made, End)]) == (77, [77])
    assert "NaN" in status.reason
    assert all_finite(made.path)
    scorecard(row=17, tried=1, lost=checkpoints.steps(made.path / "checkpoints")[-1] > 18)


@pytest.mark.faults_long
def test_a_real_worker_warns_and_goes_on(store: Store, faults: Faults, scorecard: Entry) -> None:
    made = trained("warn", faults, store, "finished")
    assert [note.step for note in told(made, Notice) if note.level == "warning"] == [18]
    scorecard(row=17, tried=1, lost=0)
