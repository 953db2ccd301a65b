"""Row 14: power cuts, in all states that reordered and un-flushed writes can leave.

What is loaded afterwards is a checkpoint to the last bit as it was saved; none that was announced
is lost to an older one; every name that promises a whole checkpoint keeps the promise; and the log
is never older than the checkpoint.
"""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tiny import same

from backends import checkpoints
from backends.checkpoints import CheckpointError
from backends.records import Step
from faults.powercut import Cut, Flushed, Named, Recorder, Written
from faults.scorecard import Entry, counts
from genai_tui.log import Log, read

SAVES = (0, 5, 10, 15, 15, 20, 25, 30)
"""The steps that are saved; one is saved again, as after going back to it."""
KEEP = 3


@dataclass(slots=True)
class Story:
    """What was saved, and at which moment each save was announced."""

    recorder: Recorder
    versions: dict[int, list[Any]] = field(default_factory=dict)
    announced: list[tuple[int, int]] = field(default_factory=list)
    """(moment, step)"""


def tell(folder: Path) -> Story:
    """Saves checkpoints as a training does, with its log beside them."""
    (folder / "checkpoints").mkdir(parents=True)
    root, log = folder / "checkpoints", Log(folder / "records.jsonl")
    story = Story(Recorder(folder))
    with story.recorder.recording():
        _begin(folder, story)
        for version, step in enumerate(SAVES):
            log.append(Step(step=step, t=float(version), values={"loss": 0.5}))
            state = {
                "model": {"w": torch.full((4, 3), float(version))},
                "loop": {"step": step, "version": version},
            }
            story.versions.setdefault(step, []).append(state)
            checkpoints.save(root, step, state, barrier=log.sync)
            story.recorder.look()
            story.announced.append((len(story.recorder.operations), step))
            checkpoints.prune(root, KEEP, step)
    log.close()
    return story


def _begin(folder: Path, story: Story) -> None:
    """The run's folder and what it begins with have been made durable when it was created."""
    story.recorder.look()
    for inode in list(story.recorder.folders):
        story.recorder.operations.append(Flushed(inode))


@counts("times", quick=250, full=5000)
def test_every_state_that_a_power_cut_leaves_is_sound(
    times: int, tmp_path: Path, scorecard: Entry
) -> None:
    story, chance = tell(tmp_path / "run"), random.Random(14)
    operations = story.recorder.operations
    first = next(i for i, done in enumerate(operations) if isinstance(done, Flushed)) + 1
    lost = 0
    for turn in range(times):
        moment = first + turn % (len(operations) - first + 1)
        folder = tmp_path / "cut"
        Cut(operations, moment, chance).build(folder)
        lost += not is_sound(folder, moment, story)
        shutil.rmtree(folder)
    scorecard(row=14, tried=times, lost=lost)


def is_sound(folder: Path, moment: int, story: Story) -> bool:
    root = folder / "checkpoints"
    try:
        for step in checkpoints.steps(root):
            checkpoints.verify(checkpoints.folder_of(root, step))
        checkpoints.sweep(root)
        found = checkpoints.load_newest(root)
    except CheckpointError:
        return False
    expected = [step for at, step in story.announced if at <= moment]
    if found is None:
        return not expected
    step, state, complaints = found
    logged = [record.step for record in read(folder / "records.jsonl").records]
    return (
        complaints == []
        and any(same(state, version) for version in story.versions[step])
        and (not expected or step >= expected[-1])
        and step in logged
    )


def test_the_recorder_misses_nothing(tmp_path: Path) -> None:
    """With all that was done on disk, the folder is as it is."""
    story = tell(tmp_path / "run")
    operations = story.recorder.operations
    everything = [*operations, *(Flushed(inode) for inode in range(1000))]
    Cut(everything, len(everything), random.Random(0)).build(tmp_path / "all")
    assert tree(tmp_path / "all") == tree(tmp_path / "run")
    kinds = {type(operation) for operation in operations}
    assert kinds == {Written, Named, Flushed}
    assert len(operations) > 100


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
