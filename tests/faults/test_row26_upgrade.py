"""Row 26: the package is upgraded while a run trains; runs that an earlier version has written.

The run goes on to its end with the code that it began with, and runs of earlier versions open, with
all that they have logged and drawn.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from real_runs import in_state, reached, told
from waiting import until

from backends.records import Step
from faults.scorecard import Entry
from genai_tui.history import History
from genai_tui.store import Run, Store

HOUSE = Path(__file__).parents[2]
EARLIER = Path(__file__).with_name("run-0.1.0")
STEPS = 60
SMALL = ("latent=2", "width=8", "batch_size=4", "sample_count=2", "sample_every=20", "log_every=1")
EXACT = ("precision=float32", "threads=1", "validate_batches=1", "checkpoint_every=20")


def test_an_upgrade_leaves_a_run_that_trains_alone(
    store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    installed = tmp_path / "installed"
    for package in ("genai_tui", "backends"):
        unread = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HOUSE / package, installed / package, ignore=unread)
    run = started(store, installed)
    until(reached(run, 1), 60)
    run.command("pause")
    until(in_state(run, "paused"))
    for file in installed.rglob("*.py"):
        file.write_text("raise SystemExit('another version')")
    for cache in list(installed.rglob("__pycache__")):
        shutil.rmtree(cache)
    run.command("resume")
    until(in_state(run, "finished", "failed", "interrupted"), 60)
    whole = [record.step for record in told(run, Step)] == list(range(1, STEPS + 1))
    drawn = (run.path / f"samples/step-{STEPS:06d}/grid.png").exists()
    saved = run.checkpoint_steps()[-1] == STEPS
    undisturbed = (run.state(), run.status().attempt) == ("finished", 1)
    scorecard(row=26, tried=1, lost=int(not (whole and drawn and saved and undisturbed)))


def started(store: Store, installed: Path) -> Run:
    """A run that the package in that folder trains."""
    knobs = [word for knob in (*SMALL, *EXACT, "validation=0.01") for word in ("--set", knob)]
    command = ["--runs", str(store.root), "train", "vae/mlp", "--steps", str(STEPS), *knobs]
    subprocess.run(
        [sys.executable, "-P", "-m", "genai_tui.cli", *command, "--detach"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    [summary] = store.summaries()
    return Run(store.root / summary.id)


def test_a_run_of_an_earlier_version_opens(store: Store, scorecard: Entry) -> None:
    spec = Run(EARLIER).spec()
    shutil.copytree(EARLIER, store.root / spec.id)
    [summary] = store.summaries()
    read, history = Run(store.root / spec.id).read(0), History()
    history.fold(read.records, read.damaged)
    loss = history.track("loss")
    facts = (summary.state, summary.name, summary.status.step) == ("finished", "from-0.1.0", 40)
    curve = list(loss.steps) == [10, 20, 30, 40] and not read.damaged
    scorecard(row=26, tried=1, lost=int(not (facts and curve)))
