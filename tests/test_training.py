"""The loop, iterated: what it yields, and that nothing but its steps moves the weights."""

import errno
import itertools
import json
import math
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny import (
    Duel,
    Inbox,
    Tiny,
    command,
    job,
    pictures,
    points,
    recipe,
    run,
    same,
    smallest,
    tiny,
)

from backends import catalogue, checkpoints, precision, samples
from backends.checkpoints import CheckpointError
from backends.knobs import ConfigError
from backends.model import Batch, Losses, Model
from backends.pace import learning_rate
from backends.precision import Numerics
from backends.records import (
    Checkpoint,
    End,
    Mark,
    Notice,
    Phase,
    Record,
    Sample,
    SampleRequest,
    Start,
    Step,
)
from backends.seeds import seed_of
from backends.training import train

NUMERICS = [Numerics("float32", False, 1), Numerics("bfloat16", True, 1)]


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves is told by the tests of checkpoints; here nobody waits for disks."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def only(kind: Any, records: Iterable[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def last(folder: Path) -> dict[str, Any]:
    """The newest checkpoint, without what says where it came from."""
    found = checkpoints.load_newest(folder / "checkpoints")
    assert found is not None
    assert found[2] == []
    return found[1]


def answers(records: Iterable[Record], verb: str) -> list[tuple[str, int]]:
    return [(mark.answer, mark.step) for mark in only(Mark, records) if mark.verb == verb]


# --------------------------------------------------------------------------- the order of records


def test_a_training_begins_goes_on_and_ends_in_order(tmp_path: Path) -> None:
    records = run(
        tmp_path, steps=4, log_every=1, validate_every=2, sample_every=2, checkpoint_every=2
    )
    told = [(type(r).__name__, r.step) for r in records if not isinstance(r, Phase | Checkpoint)]
    assert told == [
        *(("Start", 0), ("Sample", 0), ("Step", 1), ("Step", 2), ("Sample", 2)),
        *(("Step", 3), ("Step", 4), ("Sample", 4), ("End", 4)),
    ]
    assert [r.step for r in only(Checkpoint, records)] == [0, 2, 4]
    assert isinstance(records[-1], End)
    assert (records[-1].state, records[-1].exit_code) == ("finished", 0)


def test_a_checkpoint_is_announced_after_all_else_of_its_step(tmp_path: Path) -> None:
    records = run(tmp_path, steps=6, sample_every=2, checkpoint_every=2)
    for index, record in enumerate(records):
        if isinstance(record, Checkpoint):
            of_its_step = [r for r in records if r.step == record.step]
            before = [r for r in records[:index] if r.step == record.step]
            assert only(Step | Sample, of_its_step) == only(Step | Sample, before)
            assert (tmp_path / record.path).is_dir() or record.step < 2


def test_a_checkpoint_waits_for_the_log(tmp_path: Path) -> None:
    """The barrier runs when all is on disk, before the checkpoint has its name."""
    named: list[list[int]] = []
    root = tmp_path / "checkpoints"
    run(
        tmp_path, steps=4, checkpoint_every=2, barrier=lambda: named.append(checkpoints.steps(root))
    )
    assert named == [[], [0], [0, 2]]


def test_the_phases_name_what_is_being_done(tmp_path: Path) -> None:
    records = run(tmp_path, steps=2, sample_every=2, validate_every=2)
    names = [name for name, _ in itertools.groupby(only(Phase, records), key=lambda p: p.name)]
    for name in ("loading the checkpoint", "choosing the precision", "training", "validating"):
        assert name in names
    assert {"sampling", "saving"} <= set(names)


def test_notices_of_the_data_are_passed_on(tmp_path: Path) -> None:
    data = pictures()
    noted = type(data)(data.shape, data.train, data.validation, ("3 files skipped",))
    records = run(tmp_path, dataset=noted, steps=1)
    assert [notice.text for notice in only(Notice, records)] == ["3 files skipped"]


# --------------------------------------------------------------------------- what is logged


def test_a_logged_point_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    every = points(run(tmp_path / "1", steps=10, log_every=1))
    fourth = points(run(tmp_path / "4", steps=10, log_every=4))
    assert list(fourth) == [4, 8, 10]
    for step, first in ((4, 1), (8, 5), (10, 9)):
        for name in ("loss", "worst", "grad_norm"):
            values = [every[s][name] for s in range(first, step + 1)]
            assert fourth[step][name] == sum(values) / len(values)


def test_rates_are_of_the_steps_alone(tmp_path: Path) -> None:
    for step in only(Step, run(tmp_path, steps=6, log_every=2)):
        assert step.rates["items_per_second"] == 5 * step.rates["steps_per_second"] > 0


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_learning_rate_follows_its_schedule(tmp_path: Path, schedule: str) -> None:
    changes = {"lr": 0.01, "warmup_steps": 4, "lr_final": 0.1, "steps": 20, "schedule": schedule}
    logged = points(run(tmp_path, **changes))
    for step in range(1, 21):
        share = (step - 1 - 4) / 16
        fall = {
            "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2,
            "linear": 1 - 0.9 * share,
            "constant": 1.0,
        }[schedule]
        expected = 0.01 * (step / 5 if step <= 4 else fall)
        assert logged[step]["lr"] == pytest.approx(expected, rel=1e-12)


def test_the_rate_that_is_logged_is_the_rate_that_was_used(tmp_path: Path) -> None:
    for steps in (1, 3, 7):
        folder = tmp_path / str(steps)
        stop = Inbox({steps: [command("stop")]})
        logged = points(run(folder, warmup_steps=4, inbox=stop))[steps]["lr"]
        groups = last(folder)["optimizers"][0]["param_groups"]
        assert {group["lr"] for group in groups} == {logged}


def test_the_noise_of_a_step_is_its_own(tmp_path: Path) -> None:
    class Noting(Tiny):
        def loss(self, batch: Batch) -> Losses:
            noted.append(batch.generator.initial_seed())
            return super().loss(batch)

    noted: list[int] = []
    run(tmp_path, tiny(Noting), steps=3, seed=7)
    assert noted[-3:] == [seed_of(7, step, "noise") for step in range(3)]


def test_what_counts_without_a_network_is_logged_beside_each_validation(tmp_path: Path) -> None:
    class Compared(Tiny):
        compares = "loss"

    def baselines() -> dict[str, float]:
        counted.append(1)
        return {"4-gram": 1.75}

    counted: list[int] = []
    data = replace(pictures(), baselines=baselines)
    plain = points(run(tmp_path / "plain", dataset=data, steps=4, validate_every=2))
    assert not counted
    assert not any("4-gram/loss" in values for values in plain.values())
    logged = points(run(tmp_path / "own", tiny(Compared), dataset=data, steps=4, validate_every=2))
    assert {step for step, values in logged.items() if values.get("4-gram/loss") == 1.75} == {2, 4}
    assert counted == [1]


def test_the_gap_is_what_held_out_data_lose_more(tmp_path: Path) -> None:
    for values in points(run(tmp_path, steps=4, validate_every=2)).values():
        if "validation/loss" in values:
            assert values["gap"] == pytest.approx(values["validation/loss"] - values["loss"])


def test_the_learning_rate_ends_at_its_final_share() -> None:
    config = recipe(lr=1.0, lr_final=0.25, steps=100)
    assert learning_rate(config, 100) == learning_rate(config, 10_000) == pytest.approx(0.25)


def test_validation_is_logged_with_its_step(tmp_path: Path) -> None:
    logged = points(run(tmp_path, steps=5, log_every=3, validate_every=2, lr=0.0, ema_half_life=0))
    assert {s: sorted(v) for s, v in logged.items()} == {
        2: ["validation/loss", "validation/worst"],
        3: ["grad_norm", "loss", "lr", "worst"],
        4: ["validation/loss", "validation/worst"],
        5: ["gap", "grad_norm", "loss", "lr", "validation/loss", "validation/worst", "worst"],
    }


def test_validation_is_the_same_question_each_time(tmp_path: Path) -> None:
    still = points(run(tmp_path, tiny(Duel), lr=0.0, validate_every=1, log_every=8))
    assert len({values["validation/gap"] for values in still.values()}) == 1
    assert len(still) == 8


def test_a_gradient_is_clipped_and_its_own_norm_is_logged(tmp_path: Path) -> None:
    def norm(limit: float, folder: str) -> tuple[float, float]:
        model = tiny()
        logged = points(run(tmp_path / folder, model, steps=1, clip_grad=limit))[1]["grad_norm"]
        return logged, float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm())

    free, used = norm(0, "free")
    assert used == pytest.approx(free, rel=1e-5)
    clipped, used = norm(free / 10, "clipped")
    assert clipped == free
    assert used == pytest.approx(free / 10, rel=1e-3)


# --------------------------------------------------------------------------- phases


def test_turns_are_taken_by_those_who_learn(tmp_path: Path) -> None:
    model = tiny(Duel)
    assert isinstance(model, Duel)
    logged = points(run(tmp_path, model, steps=6, log_every=1))
    turns = [turn for turn, _, _, _ in model.seen]
    assert turns == ["D", "R", "G", "D", "D", "G", "D", "D", "R", "G", "D"]
    for turn, size, judge, maker in model.seen:
        assert size == 5
        assert (judge, maker) == ((turn in "DR"), turn == "G")
    assert sorted(logged[1]) == [
        *("D/grad_norm", "D/loss", "G/grad_norm", "G/loss", "R/grad_norm", "R/loss", "lr"),
    ]
    assert sorted(logged[2]) == ["D/grad_norm", "D/loss", "lr"]


def test_the_turns_of_one_player_leave_the_others_weights_alone(tmp_path: Path) -> None:
    model = tiny(Duel)
    assert isinstance(model, Duel)
    before = [p.detach().clone() for p in model.maker.parameters()]
    list(itertools.takewhile(lambda r: r.step < 2, train(job(tmp_path / "a", model, steps=9))))
    after_g = [p.detach().clone() for p in model.maker.parameters()]
    assert not same(before, after_g)


# --------------------------------------------------------------------------- nothing disturbs


@pytest.mark.parametrize("kind", [Tiny, Duel])
@pytest.mark.parametrize("half_life", [5.0, 0.0], ids=["ema", "no ema"])
@pytest.mark.parametrize(
    "busy",
    [
        {"sample_every": 1},
        {"checkpoint_every": 1},
        {"checkpoint_minutes": 1e-9},
        {"log_every": 7},
        {"sample_every": 2, "validate_every": 3, "checkpoint_every": 2, "sample_count": 9},
    ],
    ids=str,
)
def test_looking_does_not_disturb_the_training(
    tmp_path: Path, kind: Any, half_life: float, busy: dict[str, Any]
) -> None:
    quiet, seen = tiny(kind), tiny(kind)
    run(tmp_path / "quiet", quiet, ema_half_life=half_life)
    run(tmp_path / "seen", seen, ema_half_life=half_life, **busy)
    assert same(quiet.state_dict(), seen.state_dict())
    one, two = last(tmp_path / "quiet"), last(tmp_path / "seen")
    assert same((one["ema"], one["optimizers"]), (two["ema"], two["optimizers"]))


@pytest.mark.parametrize("half_life", [5.0, 0.0], ids=["ema", "no ema"])
def test_validation_does_not_disturb_the_training(tmp_path: Path, half_life: float) -> None:
    quiet, judged = tiny(), tiny()
    run(tmp_path / "quiet", quiet, ema_half_life=half_life)
    run(tmp_path / "judged", judged, ema_half_life=half_life, validate_every=1)
    assert same(quiet.state_dict(), judged.state_dict())


@pytest.mark.parametrize("training", [True, False])
def test_a_model_that_was_drawn_from_is_in_the_mode_it_was_in(training: bool) -> None:
    model = tiny().train(training)
    samples.draw(model, SampleRequest(count=2), NUMERICS[0])
    assert all(module.training == training for module in model.modules())


def test_samples_asked_for_do_not_disturb_the_training(tmp_path: Path) -> None:
    quiet, asked = tiny(), tiny()
    run(tmp_path / "quiet", quiet)
    verbs = ("sample", "checkpoint", "pause", "sample", "resume")
    inbox = Inbox({3 + i: [command(verb, id=str(i))] for i, verb in enumerate(verbs)})
    run(tmp_path / "asked", asked, inbox=inbox)
    assert same(quiet.state_dict(), asked.state_dict())


def test_the_random_numbers_of_others_do_not_matter(tmp_path: Path) -> None:
    one, two = tiny(), tiny()
    run(tmp_path / "one", one)
    for _ in train(job(tmp_path / "two", two)):
        torch.manual_seed(99)
        torch.rand(3)
    assert same(one.state_dict(), two.state_dict())


def test_another_seed_is_another_training(tmp_path: Path) -> None:
    one, two = tiny(), tiny()
    run(tmp_path / "one", one, seed=1)
    run(tmp_path / "two", two, seed=2)
    assert not same(one.state_dict(), two.state_dict())


# --------------------------------------------------------------------------- resuming


def interrupted(folder: Path, model: Model, again: Model, at: int, **changes: Any) -> list[Record]:
    """Records of a training that was stopped after ``at`` steps and went on in ``again``."""
    stop = Inbox({at: [command("stop")]})
    first = run(folder, model, inbox=stop, **changes)
    assert first[-1].step == at
    return first + run(folder, again, attempt=2, **changes)


@pytest.mark.parametrize("kind", [Tiny, Duel])
@pytest.mark.parametrize("at", [1, 4, 7])
@pytest.mark.parametrize(
    "changes",
    [{}, {"log_every": 3}, {"ema_half_life": 0, "optimizer": "adam"}, {"validate_every": 3}],
    ids=str,
)
def test_a_resumed_training_is_the_same_to_the_last_bit(
    tmp_path: Path, kind: Any, at: int, changes: dict[str, Any]
) -> None:
    straight = run(tmp_path / "a", tiny(kind), **changes)
    resumed = interrupted(tmp_path / "b", tiny(kind), tiny(kind, seed=5), at, **changes)
    assert points(resumed) == points(straight)
    assert same(last(tmp_path / "a"), last(tmp_path / "b"))
    assert only(Start, resumed)[1].step == at


@pytest.mark.parametrize("numerics", NUMERICS, ids=lambda numerics: numerics.precision)
@pytest.mark.parametrize("name", catalogue.models())
def test_every_model_resumes_to_the_last_bit(
    tmp_path: Path, name: str, numerics: Numerics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that is aligned with nothing, and the same training in one go, with samples."""
    monkeypatch.setattr(precision, "choose", lambda *_: numerics)

    def changes() -> dict[str, Any]:
        model, dataset = smallest(name)
        knobs = {"steps": 7, "batch_size": 4, "log_every": 2, "validate_every": 5}
        return {"model": model, "dataset": dataset, **knobs, "ema_half_life": 3}

    straight = run(tmp_path / "a", **changes(), sample_every=3)
    first, second = changes(), changes()
    for parameter in second["model"].parameters():
        torch.nn.init.constant_(parameter, 0.1)
    stopped = run(tmp_path / "b", **first, inbox=Inbox({3: [command("stop")]}))
    resumed = run(tmp_path / "b", **second, attempt=2)
    assert points([*stopped, *resumed]) == points(straight)
    assert points(straight)[7]
    assert same(last(tmp_path / "a"), last(tmp_path / "b"))
    one, two = (last(tmp_path / name)["model"] for name in "ab")
    assert any(tensor.dtype == torch.float32 for tensor in one.values())
    assert same(one, two)


@pytest.mark.parametrize("at", [2, 3, 5, 7])
def test_a_crash_costs_no_more_than_the_steps_since_the_checkpoint(tmp_path: Path, at: int) -> None:
    straight = run(tmp_path / "a", checkpoint_every=3, log_every=2)
    logged: list[Record] = []
    training = train(job(tmp_path / "b", checkpoint_every=3, log_every=2))
    for record in training:
        logged.append(record)
        if (
            isinstance(record, Phase)
            and record.step == at
            and len(checkpoints.steps(tmp_path / "b" / "checkpoints")) > at // 3
        ):
            break
        if record.step > at:
            break
    training.close()  # pyright: ignore[reportAttributeAccessIssue]
    logged += run(tmp_path / "b", tiny(seed=3), checkpoint_every=3, log_every=2, attempt=2)
    assert only(Start, logged)[1].step in (3 * (at // 3), 3 * ((at + 1) // 3))
    assert points(logged) == points(straight)
    assert same(last(tmp_path / "a"), last(tmp_path / "b"))


def test_a_damaged_checkpoint_is_passed_over_and_said(tmp_path: Path) -> None:
    straight = run(tmp_path / "a", checkpoint_every=2)
    first = run(tmp_path / "b", checkpoint_every=2, inbox=Inbox({5: [command("stop")]}))
    (tmp_path / "b/checkpoints/step-000005/model.safetensors").write_bytes(b"damaged")
    second = run(tmp_path / "b", tiny(seed=3), checkpoint_every=2, attempt=2)
    assert only(Start, second)[0].step == 4
    [notice] = only(Notice, second)
    assert "step-000005" in notice.text
    assert points(first + second) == points(straight)
    assert same(last(tmp_path / "a"), last(tmp_path / "b"))


def test_where_no_checkpoint_can_be_used_nothing_is_trained_and_nothing_lost(
    tmp_path: Path,
) -> None:
    run(tmp_path, steps=4, checkpoint_every=2)
    files = sorted((tmp_path / "checkpoints").rglob("state.json"))
    for file in files:
        file.write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        run(tmp_path, steps=9)
    assert sorted((tmp_path / "checkpoints").rglob("state.json")) == files


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    run(tmp_path, tiny(), steps=2)
    with pytest.raises(ConfigError, match="the checkpoint does not fit this model"):
        run(tmp_path, tiny(Duel), steps=4)


def test_a_finished_training_can_be_extended(tmp_path: Path) -> None:
    run(tmp_path, steps=5)
    records = run(tmp_path, tiny(seed=8), steps=9, attempt=2)
    [start] = only(Start, records)
    assert (start.step, start.of, start.attempt) == (5, 9, 2)
    assert sorted(points(records)) == [6, 7, 8, 9]
    assert records[-1].step == 9


def test_one_model_can_be_trained_in_two_goes(tmp_path: Path) -> None:
    apart, model = tiny(Duel), tiny(Duel)
    run(tmp_path / "apart", tiny(Duel), steps=4)
    run(tmp_path / "apart", apart, steps=8)
    run(tmp_path / "same", model, steps=4)
    run(tmp_path / "same", model, steps=8)
    assert same(apart.state_dict(), model.state_dict())


def test_a_training_that_has_nothing_left_to_do_ends_at_once(tmp_path: Path) -> None:
    run(tmp_path, steps=5)
    before = last(tmp_path)
    records = run(tmp_path, tiny(seed=8), steps=5, attempt=2)
    assert points(records) == {}
    assert records[-1].state == "finished"
    assert same(last(tmp_path), before)


def test_a_resumed_training_never_chooses_its_numerics_again(tmp_path: Path) -> None:
    first = run(tmp_path, precision="bfloat16", inbox=Inbox({3: [command("stop")]}))
    second = run(tmp_path, precision="float32", attempt=2)
    assert {start.precision for start in only(Start, first + second)} == {"bfloat16, 1 thread"}


def test_bfloat16_is_near_float32_and_keeps_its_weights_in_float32(tmp_path: Path) -> None:
    exact = points(run(tmp_path / "a", steps=6))
    model = tiny()
    rough = points(run(tmp_path / "b", model, steps=6, precision="bfloat16"))
    assert rough[6]["loss"] == pytest.approx(exact[6]["loss"], rel=0.05)
    assert rough[6]["loss"] != exact[6]["loss"]
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_oldest_checkpoints_go(tmp_path: Path) -> None:
    run(tmp_path, steps=8, checkpoint_every=1, keep_checkpoints=2)
    assert checkpoints.steps(tmp_path / "checkpoints") == [7, 8]


def test_what_a_model_needs_to_be_built_again_is_in_the_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, steps=1, meta={"model": "toy", "shape": [1, 2]})
    assert last(tmp_path)["meta"] == {"model": "toy", "shape": [1, 2]}


# --------------------------------------------------------------------------- commands


def test_a_stop_is_accepted_and_done_with_a_checkpoint(tmp_path: Path) -> None:
    records = run(tmp_path, inbox=Inbox({3: [command("stop")]}))
    assert answers(records, "stop") == [("accepted", 3), ("done", 3)]
    assert only(Checkpoint, records)[-1].step == 3
    end = records[-1]
    assert (end.state, end.exit_code, end.reason) == ("stopped", 75, "stopped by me")
    assert checkpoints.steps(tmp_path / "checkpoints")[-1] == 3


def test_a_stop_at_the_last_step_is_a_finish_and_is_answered(tmp_path: Path) -> None:
    records = run(tmp_path, steps=3, inbox=Inbox({3: [command("stop")]}))
    assert answers(records, "stop") == [("accepted", 3), ("done", 3)]
    assert records[-1].state == "finished"


def test_two_stops_at_once_are_both_answered(tmp_path: Path) -> None:
    records = run(tmp_path, inbox=Inbox({3: [command("stop", id="a"), command("stop", id="b")]}))
    marks = [(mark.id, mark.answer) for mark in only(Mark, records)]
    assert marks == [("a", "accepted"), ("b", "refused"), ("a", "done")]


def test_a_checkpoint_is_accepted_and_done_when_it_is_on_disk(tmp_path: Path) -> None:
    records = run(tmp_path, inbox=Inbox({3: [command("checkpoint")]}))
    [accepted, done] = only(Mark, records)
    assert (accepted.answer, accepted.step, done.answer) == ("accepted", 3, "done")
    saved = next(record for record in only(Checkpoint, records) if record.step == 3)
    assert records.index(done) == records.index(saved) + 1


def test_a_checkpoint_that_was_under_way_already_answers_no_command(tmp_path: Path) -> None:
    saving, asked = threading.Event(), [command("set", knob="lr", value=0.5)]
    records: list[Record] = []

    def finish(_: Path) -> None:
        saving.wait(10)

    for record in train(job(tmp_path, inbox=Inbox({1: asked}), finish=finish)):
        records.append(record)
        if isinstance(record, Phase) and record.name == "saving" and record.step == 1:
            saving.set()  # only now can the first one, at step 0, become whole
    done = next(record for record in only(Mark, records) if record.answer == "done")
    saved = [record.step for record in only(Checkpoint, records[: records.index(done)])]
    assert saved == [0, 1]


def test_samples_are_drawn_as_asked(tmp_path: Path) -> None:
    request = SampleRequest(count=3, seed=5, labels=[1], temperature=0.5)
    records = run(tmp_path, inbox=Inbox({2: [command("sample", request=request)]}))
    assert answers(records, "sample") == [("accepted", 2), ("done", 2)]
    [sample] = only(Sample, records)
    assert (sample.count, sample.request, sample.command) == (3, request, "sample-1")
    folder = tmp_path / sample.path
    assert sorted(path.name for path in folder.iterdir()) == [
        *("000.png", "001.png", "002.png", "grid.png", "request.json"),
    ]
    with Image.open(folder / "000.png") as picture:
        assert picture.size == (4, 4)
    assert json.loads((folder / "request.json").read_bytes())["labels"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (SampleRequest(labels=[2]), "label 2 does not exist; labels go from 0 to 1"),
        (SampleRequest(prompt="x"), "cannot be asked for prompt; it offers labels, temperature"),
        (SampleRequest(count=0), "count must be from 1"),
        (SampleRequest(count=-5), "count must be from 1"),
        (SampleRequest(count=10**9), "count must be from 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_samples_that_cannot_be_drawn_are_refused(
    tmp_path: Path, request_: SampleRequest, reason: str
) -> None:
    inbox = Inbox({2: [command("sample", request=request_)]})
    records = run(tmp_path, inbox=inbox)
    [mark] = only(Mark, records)
    assert mark.answer == "refused"
    assert reason in mark.detail
    assert records[-1].state == "finished"


def test_samples_asked_for_without_words_are_fresh_each_time(tmp_path: Path) -> None:
    inbox = Inbox({2: [command("sample", id="a")], 3: [command("sample", id="b")]})
    one, two = only(Sample, run(tmp_path, inbox=inbox))
    assert one.request.seed != two.request.seed
    assert one.path != two.path


def test_a_live_knob_changes_the_very_next_step(tmp_path: Path) -> None:
    changes = {"schedule": "constant", "warmup_steps": 0, "lr": 0.01}
    inbox = Inbox({3: [command("set", knob="lr", value="0.5")]})
    records = run(tmp_path, inbox=inbox, **changes)
    accepted, done = answers(records, "set")
    assert accepted == ("accepted", 3)
    assert done[0] == "done"  # said once a checkpoint holds the new value
    saved = [record.step for record in records if isinstance(record, Checkpoint)]
    assert 3 in saved
    assert only(Mark, records)[1].detail == "lr 0.01 → 0.5"
    logged = points(records)
    assert (logged[3]["lr"], logged[4]["lr"]) == (0.01, 0.5)


def test_a_changed_knob_is_still_changed_after_a_stop(tmp_path: Path) -> None:
    changes = {"schedule": "constant", "warmup_steps": 0, "lr": 0.01}
    inbox = Inbox({3: [command("set", knob="lr", value=0.5)], 5: [command("stop")]})
    run(tmp_path, inbox=inbox, **changes)
    assert points(run(tmp_path, attempt=2, **changes))[6]["lr"] == 0.5


@pytest.mark.parametrize(
    ("knob", "value", "reason"),
    [
        ("lr", 99, "lr must be a number from 0 to 10, not '99'"),
        ("lr", None, "lr must be"),
        ("lr", "fast", "lr must be"),
        ("batch_size", 3, "unknown knob of a run that trains: 'batch_size'"),
        ("", 3, "unknown knob"),
    ],
)
def test_a_knob_that_cannot_change_is_refused(
    tmp_path: Path, knob: str, value: Any, reason: str
) -> None:
    records = run(tmp_path, inbox=Inbox({3: [command("set", knob=knob, value=value)]}))
    [mark] = only(Mark, records)
    assert mark.answer == "refused"
    assert reason in mark.detail


def test_a_pause_waits_and_keeps_the_weights(tmp_path: Path) -> None:
    inbox = Inbox({3: [command("pause")], 9: [command("resume")]})
    records = run(tmp_path, inbox=inbox)
    assert answers(records, "pause") == [("accepted", 3), ("done", 3)]
    assert answers(records, "resume") == [("accepted", 3), ("done", 3)]
    assert sorted(points(records)) == list(range(1, 9))
    assert records[-1].state == "finished"


def test_a_paused_training_still_obeys_and_stays_paused(tmp_path: Path) -> None:
    verbs = ("pause", "sample", "checkpoint", "pause", "stop")
    inbox = Inbox({3 + i: [command(v, id=f"{v}-{i}")] for i, v in enumerate(verbs)})
    records = run(tmp_path, inbox=inbox)
    assert answers(records, "sample") == [("accepted", 3), ("done", 3)]
    assert answers(records, "checkpoint") == [("accepted", 3), ("done", 3)]
    assert answers(records, "pause") == [("accepted", 3), ("done", 3), ("refused", 3)]
    assert answers(records, "stop") == [("accepted", 3), ("done", 3)]
    phases = [phase.name for phase in only(Phase, records)]
    after_pause = phases[phases.index("paused") : phases.index("stopping")]
    assert after_pause[-1] == "paused"  # and not "training", as samples and checkpoints leave it


def test_a_resume_of_what_is_not_paused_does_no_harm(tmp_path: Path) -> None:
    records = run(tmp_path, inbox=Inbox({3: [command("resume")]}))
    assert answers(records, "resume") == [("accepted", 3), ("done", 3)]


# --------------------------------------------------------------------------- numbers that go wrong


class Wrong(Tiny):
    """Its loss is not finite at the third step."""

    value = math.nan

    def loss(self, batch: Batch) -> Losses:
        terms = super().loss(batch)
        if round(batch.progress * 8) == 2:
            return {**terms, "loss": terms["loss"] * self.value}
        return terms


@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "Infinity")])
@pytest.mark.parametrize("log_every", [1, 8])
def test_a_bad_loss_stops_the_training_and_is_never_saved(
    tmp_path: Path, value: float, said: str, log_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wrong, "value", value)
    records = run(tmp_path, tiny(Wrong), log_every=log_every, checkpoint_every=1)
    end = records[-1]
    assert (end.state, end.exit_code) == ("failed", 77)
    assert end.reason.startswith(f"loss was {said} at step 3:")
    assert checkpoints.steps(tmp_path / "checkpoints") == [0, 1, 2]
    for step in (0, 1, 2):
        state = checkpoints.load(checkpoints.folder_of(tmp_path / "checkpoints", step))
        assert all(torch.isfinite(t).all() for t in state["model"].values())


def test_a_stop_does_not_save_weights_that_went_wrong(tmp_path: Path) -> None:
    inbox = Inbox({3: [command("stop")]})
    records = run(tmp_path, tiny(Wrong), log_every=8, inbox=inbox)
    assert records[-1].exit_code == 77
    assert checkpoints.steps(tmp_path / "checkpoints") == [0]


def test_a_bad_loss_is_on_record_before_the_end(tmp_path: Path) -> None:
    records = run(tmp_path, tiny(Wrong))
    assert points(records)[3]["loss"] == "NaN"


def test_a_warning_goes_on(tmp_path: Path) -> None:
    records = run(tmp_path, tiny(Wrong), nan_policy="warn", checkpoint_every=2)
    assert sorted(points(records)) == list(range(1, 9))
    assert records[-1].state == "finished"
    [notice] = only(Notice, records)
    assert notice.text.startswith("loss was NaN at step 3")
    assert same(last(tmp_path)["loop"]["step"], 8)


# --------------------------------------------------------------------------- the disk


def test_a_checkpoint_that_cannot_be_written_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, steps=2)
    before, real = last(tmp_path), checkpoints.save

    def full(root: Path, step: int, *rest: Any, **more: Any) -> Any:
        if step > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(root, step, *rest, **more)

    monkeypatch.setattr(checkpoints, "save", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path, steps=9, checkpoint_every=5)
    assert same(last(tmp_path), before)


def test_closing_the_training_ends_its_thread(tmp_path: Path) -> None:
    training = train(job(tmp_path, checkpoint_every=1, steps=50))
    for record in training:
        if record.step == 3:
            break
    training.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not [t for t in threading.enumerate() if t.name.startswith("checkpoint")]
    assert not [p for p in (tmp_path / "checkpoints").iterdir() if p.name.startswith(".")]
