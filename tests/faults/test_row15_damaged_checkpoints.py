"""Row 15: checkpoints that are damaged: a bit, a cut, a file that is missing, a broken manifest.

The training goes on from the newest one that verifies, says which it passed over, and ends in the
bits of an undisturbed one. Where none verifies it refuses, trains nothing and changes nothing: it
never begins again at step 0 in silence.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_runs import create, in_state, reached, told, undisturbed
from tiny import Inbox, command, points, run, same, tiny
from waiting import until

from backends import checkpoints
from backends.checkpoints import CheckpointError
from backends.records import End, Notice, Record, Start
from faults.forked import work
from faults.plugin import Faults, faulty
from faults.scorecard import Entry, counts, long
from faults.small import small
from genai_tui import launch
from genai_tui.store import Store

STEPS, STOP, KEPT = 12, 9, (5, 6, 7, 8, 9)
KNOBS: dict[str, Any] = {"steps": STEPS, "checkpoint_every": 1, "keep_checkpoints": len(KEPT)}
STOPPED = "stopped"
FILES = ("model.safetensors", "ema.safetensors", "optimizers.safetensors", "state.json")
Damage = Callable[[Path, random.Random], None]


def _flip(folder: Path, chance: random.Random) -> None:
    path = folder / chance.choice(FILES)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _cut(folder: Path, chance: random.Random) -> None:
    path = folder / chance.choice((*FILES, "manifest.json"))
    os.truncate(path, chance.randrange(path.stat().st_size))


def _remove(folder: Path, chance: random.Random) -> None:
    (folder / chance.choice((*FILES, "manifest.json"))).unlink()


def _swap(folder: Path, chance: random.Random) -> None:
    """A file of another checkpoint, whole in itself."""
    other = chance.choice([step for step in KEPT if not folder.name.endswith(f"{step:06d}")])
    sound = folder.parents[2] / STOPPED / f"checkpoints/step-{other:06d}"
    name = chance.choice(FILES)
    shutil.copy(sound / name, folder / name)


def _rewrite(folder: Path, chance: random.Random) -> None:
    path = folder / "manifest.json"
    told = json.loads(path.read_bytes())
    name = chance.choice(FILES)
    broken: list[Any] = [
        {**told, "files": {**told["files"], name: {"bytes": 1, "sha256": "0" * 64}}},
        {**told, "files": {**told["files"], "../outside": told["files"][name]}},
        {**told, "files": []},
        {**told, "format": 99},
        [told],
        None,
    ]
    path.write_text(json.dumps(chance.choice(broken)))


def _zero(folder: Path, chance: random.Random) -> None:
    """As a file system leaves what it never wrote: the right size, and nothing in it."""
    path = folder / chance.choice((*FILES, "manifest.json"))
    path.write_bytes(bytes(path.stat().st_size))


IN_PLACE: tuple[Damage, ...] = (_flip, _cut, _remove, _rewrite, _zero)
DAMAGE: tuple[Damage, ...] = (*IN_PLACE, _swap)


@pytest.fixture
def no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves is row 14's; here nobody waits for disks."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def stopped(tmp_path: Path, no_flush: None) -> tuple[Path, list[Record]]:
    """A training that was stopped, with five checkpoints, and what it logged."""
    inbox = Inbox({STOP: [command("stop")]})
    return tmp_path / STOPPED, run(tmp_path / STOPPED, tiny(), **KNOBS, inbox=inbox)


def final(folder: Path) -> dict[str, Any]:
    return checkpoints.load(checkpoints.folder_of(folder / "checkpoints", STEPS))


@counts("times", quick=18, full=600)
def test_the_newest_that_verifies_is_gone_on_from(
    times: int, stopped: tuple[Path, list[Record]], tmp_path: Path, scorecard: Entry
) -> None:
    straight = run(tmp_path / "straight", tiny(), **KNOBS)
    chance, lost = random.Random(15), 0
    for turn in range(times):
        folder = tmp_path / "damaged"
        shutil.copytree(stopped[0], folder)
        bad = sorted(KEPT)[len(KEPT) - chance.randint(1, 4) :]
        for step in bad:
            DAMAGE[turn % len(DAMAGE)](folder / f"checkpoints/step-{step:06d}", chance)
        found = run(folder, tiny(seed=5), **KNOBS, attempt=2)
        [start] = [record for record in found if isinstance(record, Start)]
        said = " ".join(record.text for record in found if isinstance(record, Notice))
        lost += not (
            start.step == bad[0] - 1
            and all(f"step-{step:06d}" in said for step in bad)
            and points([*stopped[1], *found]) == points(straight)
            and same(final(folder), final(tmp_path / "straight"))
        )
        shutil.rmtree(folder)
    scorecard(row=15, tried=times, lost=lost)


@counts("times", quick=12, full=200)
def test_where_none_verifies_it_refuses(
    times: int, stopped: tuple[Path, list[Record]], tmp_path: Path, scorecard: Entry
) -> None:
    chance, lost = random.Random(51), 0
    for turn in range(times):
        folder = tmp_path / "damaged"
        shutil.copytree(stopped[0], folder)
        for step in KEPT:
            DAMAGE[turn % len(DAMAGE)](folder / f"checkpoints/step-{step:06d}", chance)
        before = tree(folder)
        with pytest.raises(CheckpointError, match="no checkpoint can be used") as refused:
            run(folder, tiny(), **KNOBS, attempt=2)
        named = all(f"step-{step:06d}" in str(refused.value) for step in KEPT)
        lost += not (named and tree(folder) == before)
        shutil.rmtree(folder)
    scorecard(row=15, tried=times, lost=lost)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", [IN_PLACE[0], *map(long, IN_PLACE[1:])])
def test_a_real_worker_goes_on_from_the_newest_that_verifies(
    damage: Damage, store: Store, faults: Faults, tmp_path: Path, scorecard: Entry
) -> None:
    spec = faulty(small(steps=60, checkpoint_every=4, keep_checkpoints=4, sample_every=0))
    straight = undisturbed(spec, tmp_path / "straight")
    faults.plan("slow", step=0, of=60)  # so that there is time to stop it
    made = create(store, spec)
    launch.start(made)
    until(reached(made, 20), 60)
    made.command("stop")
    until(in_state(made, "stopped"))
    faults.file.unlink()
    *_, sound, bad, worst = there = checkpoints.steps(made.path / "checkpoints")
    assert len(there) == 4
    chance = random.Random(15)
    for step in (bad, worst):
        damage(checkpoints.folder_of(made.path / "checkpoints", step), chance)
    launch.resume(made)
    until(in_state(made, "finished"), 60)
    said = " ".join(note.text for note in told(made, Notice))
    assert [start.step for start in told(made, Start)] == [0, sound]
    assert all(f"step-{step:06d}" in said for step in (bad, worst))
    scorecard(row=15, tried=1, lost=not straight.is_that_of(made))


def test_a_run_that_refuses_says_so_and_is_not_tried_again(store: Store, scorecard: Entry) -> None:
    made = create(store, small(steps=30))
    assert work(made, 20) == 0
    for folder in (made.path / "checkpoints").iterdir():
        (folder / "model.safetensors").unlink()
    assert work(made, 30, 2) == 78
    status, end = made.status(), told(made, End)[-1]
    assert (status.state, status.exit_code, end.exit_code) == ("failed", 78, 78)
    assert status.reason.startswith("no checkpoint can be used: ")
    assert len(told(made, Start)) == 1
    scorecard(row=15, tried=1, lost=0)
