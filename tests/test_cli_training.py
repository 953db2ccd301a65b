"""The verbs that train: real keepers, real workers, a few steps each."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_tools import PROGRAM, outside
from waiting import until

from genai_tui import liveness
from genai_tui.liveness import Identity
from genai_tui.store import Run, Store

TINY = {
    "width": "4",
    "batch_size": "16",
    "log_every": "2",
    "sample_every": "3",
    "sample_count": "4",
    "validate_batches": "1",
    "warmup_steps": "2",
    "precision": "float32",
    "threads": "1",
}
SETTINGS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store for all tests of this file; nothing of it trains on afterwards."""
    store = Store(tmp_path_factory.mktemp("home") / "runs")
    yield store
    for run in store.runs():
        status = run.status()
        for process in (status.keeper, status.worker):
            if process is not None:
                liveness.send(Identity(process.pid, process.started), signal.SIGKILL)


@pytest.fixture(scope="module")
def trained(home: Store) -> tuple[Run, str]:
    """A run that has trained six steps to its end, and what that printed."""
    told = outside(
        *("train", "vae/conv", "--steps", "6", "--name", "shoes", "--seed", "3", *SETTINGS),
        runs=home.root,
    )
    assert (told.status, told.err) == (0, "")
    return home.run("shoes"), told.out


# --------------------------------------------------------------------------- to the end


def test_train_shows_progress_and_says_where_things_are(trained: tuple[Run, str]) -> None:
    run, said = trained
    lines = said.splitlines()
    assert lines[0] == f"shoes trains in {run.path}"
    assert "samples at step 3: samples/step-000003" in lines
    assert any(line.startswith("checkpoint at step 6: ") for line in lines)
    assert any(line.startswith("step 6/6  loss ") for line in lines)
    assert "shoes finished at step 6." in lines
    for path in ("samples/step-000006/grid.png", "checkpoints/step-000006"):
        assert str(run.path / path) in said
        assert (run.path / path).exists()
    assert "\x1b" not in said


def test_what_was_asked_is_what_is_trained(trained: tuple[Run, str]) -> None:
    spec = trained[0].spec()
    assert (spec.name, spec.model, spec.dataset, spec.seed) == (
        *("shoes", "vae/conv", "fashion-mini"),
        3,
    )
    assert spec.train_config["steps"] == 6
    assert spec.model_config["width"] == 4


def test_resume_extends_a_finished_run(home: Store, trained: tuple[Run, str]) -> None:
    told = outside("resume", "shoes", "--steps", "8", "--json", runs=home.root)
    assert (told.status, told.json["answer"], told.json["of"]) == (0, "started", 8)
    outside("logs", "shoes", "--follow", runs=home.root)  # which ends when the run does
    assert (trained[0].state(), trained[0].status().step) == ("finished", 8)


def test_sample_by_name_and_index(home: Store, trained: tuple[Run, str], tmp_path: Path) -> None:
    told = outside(
        *("sample", "shoes", "--out", str(tmp_path / "drawn"), "--count", "5", "--seed", "7"),
        *("--step", "6", "--label", "sneaker", "--label", "3", "--json"),
        runs=home.root,
    )
    assert told.status == 0
    assert (told.json["step"], told.json["count"]) == (6, 5)
    assert told.json["request"]["labels"] == [7, 3]
    assert len(list((tmp_path / "drawn").glob("0*.png"))) == 5
    assert json.loads((tmp_path / "drawn" / "request.json").read_bytes())["labels"][:2] == [7, 3]


def test_sample_refuses_what_the_model_cannot(
    home: Store, trained: tuple[Run, str], tmp_path: Path
) -> None:
    told = outside("sample", "shoes", "--out", str(tmp_path / "x"), "--prompt", "a", runs=home.root)
    told.refused("prompt", "labels")
    assert not (tmp_path / "x").exists()


def test_demo_without_a_terminal(home: Store) -> None:
    told = outside("demo", "--no-tui", "--steps", "4", runs=home.root)
    run = home.run("latest")
    assert (told.status, told.err) == (0, "")
    assert f"{run.label} finished at step 4." in told.out
    assert str(run.path / "samples" / "step-000004" / "grid.png") in told.out
    assert run.spec().dataset == "fashion-mini"


# --------------------------------------------------------------------------- left alone, steered


def test_a_training_left_alone_takes_orders(home: Store) -> None:
    """Ctrl-C leaves it alone; each order is answered; stop ends it with a checkpoint."""
    with _terminal("train", "vae/conv", "--steps", "1000000", *SETTINGS, runs=home.root) as seen:
        until(lambda: b"loss" in seen.output, 60)
        seen.process.send_signal(signal.SIGINT)
        assert seen.process.wait(20) == 0
    run = home.run("latest")
    assert f"genai-tui watch {run.label}".encode() in seen.output
    assert run.state() == "running"

    def order(*words: str) -> dict[str, str]:
        told = outside(words[0], "latest", *words[1:], "--json", runs=home.root)
        assert (told.status, told.err) == (0, "")
        return told.json

    assert (order("pause")["answer"], run.state()) == ("done", "paused")
    outside("resume", "latest", "--steps", "9", runs=home.root).refused("paused", "--steps")
    assert (order("resume")["answer"], run.state()) == ("done", "running")
    assert order("checkpoint")["answer"] == "done"
    assert order("set", "lr=1e-4")["detail"] == "lr 0.006 → 0.0001"
    refused = outside("set", "latest", "lr=100", "--json", runs=home.root)
    refused.refused("lr", "from 0 to 10")
    stopped = order("stop")
    assert (stopped["answer"], stopped["state"]) == ("done", "stopped")
    assert run.checkpoint_steps()[-1] == stopped["checkpoint"] == stopped["step"]
    assert outside("delete", "latest", "--yes", runs=home.root).status == 0


def test_stop_does_not_wait_for_a_worker_that_starts(home: Store) -> None:
    told = outside(
        *("train", "vae/conv", "--detach", "--json", "--steps", "1000000", *SETTINGS),
        runs=home.root,
    )
    assert told.json["state"] in ("starting", "running")
    assert {"id", "name", "path"} <= set(told.json)
    assert outside("stop", told.json["id"], "--no-wait", runs=home.root).status == 0
    run = home.run(told.json["id"])
    until(lambda: run.state() == "stopped", 60)


# --------------------------------------------------------------------------- stand-ins


class _Seen:
    """What a process has written to its terminal so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.output = process, b""

    def read(self, fd: int) -> None:
        while True:
            try:
                data = os.read(fd, 4096)
            except OSError:  # how a terminal ends on Linux
                return
            if not data:
                return
            self.output += data


@contextmanager
def _terminal(*words: str, runs: Path) -> Iterator[_Seen]:
    """The command line with a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "GENAI_TUI_RUNS": str(runs), "TERM": "xterm-256color"},
    )
    os.close(theirs)
    seen = _Seen(process)
    reader = threading.Thread(target=seen.read, args=(ours,))
    reader.start()
    try:
        yield seen
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)
