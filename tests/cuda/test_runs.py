"""Real workers on a GPU, and what is said of it beside what the driver's own tool says."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from real_runs import in_state, outcome, reached, told, worker
from tiny import same
from waiting import until

from backends.records import Start
from genai_tui import launch, liveness
from genai_tui.store import Run, Store
from genai_tui.telemetry import journal
from genai_tui.telemetry.gpus import Gpus

pytestmark = pytest.mark.cuda
STEPS = 3000
ASKED = f"""
    width=8 latent=4 batch_size=32 validation=0.01 steps={STEPS} log_every=10 validate_every=0
    checkpoint_every=200 checkpoint_minutes=0 sample_every=1000 sample_count=4
"""
SETTINGS = dict(word.split("=") for word in ASKED.split())


def cli(store: Store, *words: str) -> str:
    main = [sys.executable, "-P", "-c", "from genai_tui.cli import main; main()"]
    command = [*main, "--runs", str(store.root), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def started(store: Store, device: torch.device, model: str = "vae/conv") -> Run:
    run = launch.create(store, model=model, settings=SETTINGS, device=str(device), seed=3)
    launch.start(run)
    return run


def test_a_killed_worker_costs_no_bit(store: Store, device: torch.device) -> None:
    straight, killed = (started(store, device) for _ in "ab")
    until(reached(killed, 450), 120)
    assert liveness.send(worker(killed), signal.SIGKILL)
    for run in (straight, killed):
        until(in_state(run, "finished"), 240)
    assert [start.step > 0 for start in told(killed, Start)] == [False, True]
    assert {start.device for start in told(killed, Start)} == {str(device)}
    one, two = (outcome(run.path, told(run)) for run in (straight, killed))
    assert one.series == two.series
    assert same(one.state["model"], two.state["model"])
    assert one.samples == two.samples


def test_what_trained_there_draws_is_scored_and_played_there(
    store: Store, device: torch.device, tmp_path: Path
) -> None:
    run = started(store, device)
    until(in_state(run, "finished"), 240)
    cli(store, "sample", run.id, "--count", "4", "--out", str(tmp_path / "drawn"))
    assert list((tmp_path / "drawn").glob("*.png"))
    cli(store, "evaluate", run.id, "--count", "256")
    assert json.loads(cli(store, "show", run.id, "--json"))["state"] == "finished"


# --------------------------------------------------------------------------- the driver


def driver(query: str, of: str = "gpu") -> list[list[str]]:
    """What nvidia-smi says."""
    ask = ["nvidia-smi", f"--query-{of}={query}", "--format=csv,noheader,nounits"]
    found = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=True).stdout
    return [[cell.strip() for cell in line.split(",")] for line in found.splitlines()]


def test_the_figures_are_those_of_the_driver() -> None:
    held = torch.zeros(2 * 2**30, dtype=torch.uint8, device="cuda")
    sampler = Gpus()
    gpus = sampler.sample()
    theirs = driver("uuid,name,memory.total,memory.used,temperature.gpu,power.limit,clocks.max.sm")
    assert not sampler.problem
    assert [gpu.uuid for gpu in gpus] == [line[0] for line in theirs]
    for gpu, (_, name, total, used, temperature, limit, fastest) in zip(gpus, theirs, strict=True):
        assert gpu.name == name
        assert gpu.problem == ""
        assert None not in (
            gpu.memory_total,
            gpu.memory_used,
            gpu.temperature,
            gpu.power,
            gpu.clock,
        )
        assert gpu.memory_total == pytest.approx(int(total) * 2**20, rel=0.01)
        assert gpu.memory_used == pytest.approx(int(used) * 2**20, rel=0.05)
        assert gpu.temperature == pytest.approx(float(temperature), abs=5)
        assert gpu.power_limit == pytest.approx(float(limit), rel=0.01)
        assert 0 < (gpu.clock or 0) <= int(fastest)
        assert 0 < (gpu.power or 0) < 1.2 * (gpu.power_limit or 0)
    del held


def test_a_training_is_seen_on_the_gpu(store: Store, device: torch.device) -> None:
    run = started(store, device, "diffusion/rectified_flow")
    until(reached(run, 50), 120)
    found = until(lambda: _ours(store, run), 60)
    assert found["memory_used"] > 100 * 2**20
    kept = until(lambda: [t for t in journal.around(run.path, time.time(), 60) if t.gpus], 30)
    assert kept[-1].gpus[0].utilisation is not None
    run.command("stop")
    until(in_state(run, "stopped"), 60)


def _ours(store: Store, run: Run) -> Any:
    """The GPU that the run's worker is seen on."""
    gpus = json.loads(cli(store, "gpus", "--json"))
    pid = worker(run).pid
    return next((g for g in gpus if any(p["pid"] == pid for p in g["processes"])), None)
