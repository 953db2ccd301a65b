"""How far a long work is: told now and then, to whoever waits, from any depth."""

import itertools
from pathlib import Path

import pytest
from PIL import Image

from backends import counting
from backends.counting import Counting, counted, told, told_to
from backends.datasets import _decoding
from backends.datasets._pictures import Look
from backends.records import Phase
from genai_tui import amounts


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes between any two looks at the clock."""
    seconds = itertools.count()
    monkeypatch.setattr(counting.time, "monotonic", lambda: next(seconds))


def test_what_is_worked_on_is_told_to_whoever_waits_and_to_nobody_else() -> None:
    heard: list[tuple[int, int]] = []
    assert list(counted("ab", 2)) == ["a", "b"]
    with told_to(lambda done, of: heard.append((done, of))):
        assert list(counted("abc", 3)) == ["a", "b", "c"]
    told(9, 9)
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_fast_work_tells_a_few_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: now[0])
    heard: list[int] = []
    with told_to(lambda done, _: heard.append(done)):
        for done in range(1000):
            now[0] += 0.002
            told(done, 1000)
    assert len(heard) == 7  # in two seconds, the first half of which says nothing at first
    assert heard[0] >= 249


def test_the_innermost_who_waits_is_told_and_then_the_one_before() -> None:
    heard: list[str] = []
    with told_to(lambda *_: heard.append("outer")):
        with told_to(lambda *_: heard.append("inner")):
            told(1, 2)
        told(2, 2)
    assert heard == ["inner", "outer"]


def test_a_drawing_is_told_in_samples() -> None:
    heard: list[tuple[int, int]] = []
    with told_to(lambda done, of: heard.append((done, of))):
        Counting(64).advanced(0.5)
    assert heard == [(32, 64)]


def test_decoding_pictures_tells_how_many(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.png" for n in range(5)]
    for file in files:
        Image.new("L", (8, 8)).save(file)
    heard: list[tuple[int, int]] = []
    with told_to(lambda done, of: heard.append((done, of))):
        _decoding.decode(files, Look(8, "gray", "crop"), tmp_path)
    assert heard == [(n, 5) for n in range(1, 6)]


def test_a_phase_reads_as_words() -> None:
    assert amounts.phase("scoring", 12_000, 50_000) == "scoring 12,000 of 50,000"
    assert amounts.phase("saving", 0, 0) == "saving"
    assert Phase(step=0, t=0, name="saving").of == 0


def test_a_training_tells_how_far_its_validation_is(tmp_path: Path) -> None:
    from tiny import job

    from backends.training import train

    heard: list[Phase] = []
    knobs = {"steps": 4, "validate_every": 4, "validate_batches": 3, "batch_size": 2}
    list(train(job(tmp_path, None, progress=heard.append, **knobs)))
    assert [(p.name, p.step, p.done, p.of) for p in heard if p.name == "validating"] == [
        ("validating", 4, n, 3) for n in range(1, 4)
    ]
