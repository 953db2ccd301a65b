"""Whatever a command says, the training goes on and answers it."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import struct
from tiny import command, run

from backends.knobs import knobs
from backends.recipe import TrainConfig
from backends.records import Command, End, Mark, Notice, Sample, SampleRequest

LIVE = [knob.name for knob in knobs(TrainConfig) if knob.live]
values = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.integers(-2, 9)),
    *(st.floats(), st.floats(-1, 1), st.text(max_size=8), st.sampled_from(["nan", "1e999", "0.1"])),
)
counts = st.integers(-1, 6) | st.sampled_from([2**62, -(2**63)])
requests = st.builds(replace, struct(SampleRequest), count=counts) | st.builds(
    SampleRequest,
    count=counts,
    seed=st.integers(-(2**63), 2**63 - 1),
    labels=st.none() | st.lists(st.integers(-1, 3), max_size=3),
    temperature=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
changes: dict[str, st.SearchStrategy[Any]] = {
    "request": st.none() | requests,
    "knob": st.sampled_from([*LIVE, "steps", "", "__class__"]) | st.text(max_size=8),
    "value": values,
}
orders = st.lists(st.builds(replace, struct(Command), **changes), max_size=4).map(
    lambda given: [replace(one, id=str(index)) for index, one in enumerate(given)]
)


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Impatient:
    """Gives all commands at once and at every later look, as to a training that pauses, resume."""

    def __init__(self, given: list[Command]) -> None:
        self.waiting, self.looks = given, itertools.count()

    def __call__(self) -> Iterator[Command]:
        if next(self.looks) and not self.waiting:
            yield command("resume", id="at last")
        while self.waiting:
            yield self.waiting.pop(0)


@settings(max_examples=50)
@given(orders)
def test_whatever_it_is_told_it_answers_and_ends_as_it_says(given: list[Command]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = run(Path(folder), inbox=Impatient([*given]), steps=2, nan_policy="warn")
    end = told[-1]
    assert isinstance(end, End)
    stops = [one for one in given if one.verb == "stop"]
    assert end.state == "finished" or (end.state == "stopped" and stops)
    for one in given:
        answers = [mark.answer for mark in told if isinstance(mark, Mark) and mark.id == one.id]
        assert answers in (["accepted", "done"], ["accepted", "refused"], ["refused"]), one
    drawn = [record.command for record in told if isinstance(record, Sample) and record.command]
    assert len(drawn) == len(set(drawn))
    assert not [record for record in told if isinstance(record, Notice) and record.level == "error"]
