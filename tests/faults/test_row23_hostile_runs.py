"""Row 23: hostile run folders in a store that others can write.

Each is shown as broken, with the reason, or as what can be read of it; the other runs are shown as
if it were not there; nothing outside of the store is read or written, and nothing waits for ever.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from build_runs import build
from studio import studio, until

from backends import records
from backends.records import Checkpoint, RunSpec, Sample, Start, Status, Step
from faults.scorecard import Entry
from faults.terminal import SECONDS_OF_PATIENCE
from genai_tui import log
from genai_tui.store import Run, Store

LOOK = Path(__file__).with_name("look_everywhere.py")
HUGE = 10**9
WRONG: tuple[object, ...] = (None, [], {}, "x", -1, 10**30, True)


def replaced(name: str, how: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """A file of the run is something else."""

    def spoil(run: Path, outside: Path) -> None:
        path = run / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        how(path, outside / name)

    return spoil


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    path.mkdir()


def device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def written(content: bytes) -> Callable[[Path, Path], None]:
    def write(path: Path, _: Path) -> None:
        path.write_bytes(content)

    return write


def field(name: str, key: str, value: object) -> Callable[[Path, Path], None]:
    def spoil(run: Path, _: Path) -> None:
        told = json.loads((run / name).read_bytes())
        (run / name).write_text(json.dumps({**told, key: value}))

    return spoil


def logged(*told: records.Record) -> Callable[[Path, Path], None]:
    def spoil(run: Path, _: Path) -> None:
        appended = log.Log(run / "records.jsonl")
        for record in told:
            appended.append(record)
        appended.close()

    return spoil


BROKEN = {
    f"run.json {how.__name__}": replaced("run.json", how)
    for how in (link, fifo, folder, device, sparse)
} | {
    "run.json empty": replaced("run.json", written(b"")),
    "run.json cut": replaced("run.json", written(b'{"id":"x","name":')),
    "run.json deep": replaced("run.json", written(b"[" * 100_000)),
    "run.json binary": replaced("run.json", written(os.urandom(4096))),
    "run.json missing": lambda run, _: (run / "run.json").unlink(),
    "run.json of the future": field("run.json", "format", records.FORMAT + 1),
    "status.json link": replaced("status.json", link),
    "status.json fifo": replaced("status.json", fifo),
    "status.json device": replaced("status.json", device),
    "status.json cut": replaced("status.json", written(b'{"state":"fin')),
    "status.json sparse": replaced("status.json", sparse),
}
"""What must read broken."""

ODD = {
    f"{name} {how.__name__}": replaced(name, how)
    for name in (
        *("records.jsonl", "telemetry.jsonl", "console.log", "annotation.json", "stars.json"),
        *("alerts.json", "keeper.lock", "worker.lock", "samples", "checkpoints", "control"),
    )
    for how in (link, fifo, device)
} | {
    "records of huge steps": logged(
        Start(step=HUGE, t=0, attempt=2, of=2**63 - 1),
        Step(step=HUGE, t=-1e300, values={"loss": 1e308}),
        Step(step=-HUGE, t=1e300, values={"loss": "NaN"}),
        Step(step=2**63 - 1, t=1e18, values={"x" * 10_000: -1e308}),
    ),
    "records that lead out": logged(
        Sample(step=3, t=0, path="../../outside/samples", modality="image", count=1),
        Sample(step=4, t=0, path="/dev", modality="text", count=10**12),
        Sample(step=5, t=0, path="", modality="audio", count=-1),
        Checkpoint(step=HUGE, t=0, path="../../../etc", bytes=-1),
    ),
    "status that leads out": field("status.json", "sample", "../../outside/samples"),
    "records of garbage": replaced("records.jsonl", written(os.urandom(1 << 16))),
    "records of one endless line": replaced("records.jsonl", sparse),
    "telemetry of garbage": replaced("telemetry.jsonl", written(os.urandom(1 << 16))),
    "a sample that leads out": lambda run, outside: replaced("samples/step-000040/grid.png", link)(
        run, outside
    ),
}
"""What must be shown as far as it can be read."""


def typed(value: object) -> dict[str, Callable[[Path, Path], None]]:
    """Each field of run.json and status.json with a value of a wrong type."""
    return {
        f"{name} {key} = {value!r}": field(name, key, value)
        for name, struct in (("run.json", RunSpec), ("status.json", Status))
        for key in struct.__struct_fields__
    }


def outside(tmp_path: Path) -> Path:
    """What nobody may read: a whole run, under the names of a run's files."""
    store = Store(tmp_path / "elsewhere")
    run = build(store, "stranger", id="outside", step=40, of=40, samples_every=20, telemetry=3)
    for name in ("annotation.json", "stars.json", "alerts.json", "keeper.lock", "worker.lock"):
        (run.path / name).write_text("{}")
    target = tmp_path / "outside"
    run.path.rename(target)
    return target


def state_of(path: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(file): (file.lstat().st_mtime_ns, file.lstat().st_size, file.lstat().st_mode)
        for file in path.rglob("*")
    }


def spoiled(
    store: Store, tmp_path: Path, ways: dict[str, Callable[[Path, Path], None]]
) -> tuple[dict[str, str], Path]:
    """A run for each way, by its id; and what is outside."""
    there = outside(tmp_path)
    ids: dict[str, str] = {}
    template = build(
        store, "template", id="template", step=40, of=40, samples_every=20, telemetry=3
    )
    for number, (name, spoil) in enumerate(ways.items()):
        run = store.root / f"20261122-{number:06d}-run"
        shutil.copytree(template.path, run)
        spec = msgspec.structs.replace(template.spec(), id=run.name, name=f"run-{number}")
        (run / "run.json").write_bytes(records.encode(spec))
        spoil(run, there)
        ids[run.name] = name
    shutil.rmtree(template.path)
    build(store, "good", id="20261123-000000-good", step=40, of=40, samples_every=20, telemetry=3)
    return ids, there


def look(store: Store, there: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(LOOK), str(store.root), str(there)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS_OF_PATIENCE,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout)


def test_a_store_of_hostile_runs(store: Store, tmp_path: Path, scorecard: Entry) -> None:
    ids, there = spoiled(store, tmp_path, BROKEN | ODD)
    (store.root / "20261122-235959-linked").symlink_to(there)
    before = state_of(there)
    told = look(store, there)
    states = {run["id"]: run["state"] for run in told["runs"]}
    wrong = [f"opened {found}" for found in told["opened"]] + told["failed"]
    for run, name in ids.items():
        if (states.get(run) == "broken") != (name in BROKEN):
            wrong.append(f"{name} reads {states.get(run)}")
    assert states["20261123-000000-good"] == "finished"
    assert "20261122-235959-linked" not in states
    assert state_of(there) == before
    assert not wrong
    scorecard(row=23, tried=len(ids) + 1, lost=len(wrong))


@pytest.mark.faults_long
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_every_field_of_every_wrong_type(
    value: object, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    ids, there = spoiled(store, tmp_path, typed(value))
    told = look(store, there)
    wrong = told["failed"] + [f"opened {found}" for found in told["opened"]]
    assert not wrong
    assert len(told["runs"]) == len(ids) + 1
    scorecard(row=23, tried=len(ids), lost=len(wrong))


SEEN = ["records of huge steps", "samples link", "telemetry.jsonl fifo", "records.jsonl device"]


@pytest.mark.parametrize(
    "name",
    [*SEEN, *(pytest.param(n, marks=pytest.mark.faults_long) for n in ODD if n not in SEEN)],
)
async def test_the_studio_opens_it(
    name: str, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    ids, _ = spoiled(store, tmp_path, {name: ODD[name]})
    run = Run(store.root / next(iter(ids)))
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.followers)
        for key in ("v", "q", "A", "q"):
            feed.look()
            await pilot.pause()
            await pilot.press(key)
        assert app.is_running
    scorecard(row=23, tried=1, lost=0)
