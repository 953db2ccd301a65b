"""Which checkpoints are kept: the newest, the best by a score, milestones; and what is swept."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Inbox, Tiny, command, run, tiny

from backends import checkpoints
from backends.model import Batch, Losses
from backends.ranking import Ranking
from backends.records import Checkpoint, Notice

STEPS = 10


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves is told by row 14 of the faults; here nobody waits for disks."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Judged(Tiny):
    """Its score on held-out data is told beforehand, one a step."""

    scores: tuple[float, ...] = ()

    def validation(self, batch: Batch) -> Losses:
        return {"score": torch.tensor(self.scores[round(batch.progress * STEPS) - 1])}


def judged(*scores: float) -> Judged:
    model = tiny(Judged)
    assert isinstance(model, Judged)
    model.scores = scores
    return model


def kept(folder: Path) -> list[int]:
    return checkpoints.steps(folder / "checkpoints")


def only(kind: Any, records: Iterable[Any]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


FALLS_AND_RISES = (9.0, 5.0, 3.0, 4.0, math.nan, 6.0, 7.0, 3.0, 8.0, 9.5)
SCORED = {"steps": STEPS, "validate_every": 1, "keep_checkpoints": 2}


@pytest.mark.parametrize(
    ("named", "best"), [("validation/score", 3), ("+validation/score", 10), ("", None)]
)
def test_the_best_is_saved_where_it_is_and_kept(
    tmp_path: Path, named: str, best: int | None
) -> None:
    knobs = {**SCORED, "checkpoint_every": 4, "keep_best": named}
    told = run(tmp_path, judged(*FALLS_AND_RISES), **knobs)
    assert kept(tmp_path) == sorted({8, 10} | ({best} if best else set()))
    state = checkpoints.load(checkpoints.folder_of(tmp_path / "checkpoints", 10))
    assert state["loop"]["best"] == ((best, state["loop"]["best"][1]) if best else None)
    if best == 3:
        assert [saved.step for saved in only(Checkpoint, told)] == [0, 1, 2, 3, 4, 8, 10]


def test_the_best_is_remembered_by_who_goes_on(tmp_path: Path) -> None:
    knobs = {**SCORED, "keep_best": "validation/score"}
    stop = Inbox({6: [command("stop")]})
    run(tmp_path, judged(*FALLS_AND_RISES), **knobs, inbox=stop)
    worse = judged(*FALLS_AND_RISES[:6], 3.5, 3.5, 3.5, 3.5)
    run(tmp_path, worse, **knobs, attempt=2)
    assert kept(tmp_path) == [3, 6, 10]


def test_a_score_that_is_not_logged_is_complained_of_once(tmp_path: Path) -> None:
    told = run(tmp_path, **{**SCORED, "keep_best": "validation/fid"})
    [notice] = only(Notice, told)
    assert notice.text.startswith(
        "keep_best is validation/fid, which this run does not log; it has"
    )
    assert "validation/loss" in notice.text


def test_milestones_stay(tmp_path: Path) -> None:
    run(tmp_path, steps=STEPS, checkpoint_every=1, keep_checkpoints=2, milestone_every=3)
    assert kept(tmp_path) == [3, 6, 9, 10]


def test_ties_keep_the_older_and_no_number_is_never_best() -> None:
    ranking = Ranking("+score")
    assert ranking.better(None, 1, {"score": math.nan}) is None
    assert ranking.better(None, 1, {"score": 0.5}) == (1, 0.5)
    assert ranking.better((1, 0.5), 2, {"score": 0.5}) == (1, 0.5)
    assert ranking.better((1, 0.5), 3, {"score": 0.6}) == (3, 0.6)
    assert ranking.better((1, 0.5), 3, {"score": math.inf}) == (1, 0.5)


def test_what_a_killed_writer_left_is_swept_when_the_run_goes_on(tmp_path: Path) -> None:
    left = [
        tmp_path / "samples/.tmp-step-000005-77",
        tmp_path / "checkpoints/.tmp-000005-77",
        tmp_path / "checkpoints/.del-000001",
    ]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "half").write_text("half")
    run(tmp_path, steps=2, sample_every=1)
    assert not list(tmp_path.rglob(".*"))
