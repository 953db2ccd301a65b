"""Real keepers and real workers: whatever is killed, the run ends as if nothing had happened."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from real_runs import (
    Outcome,
    attempt,
    create,
    gone,
    in_state,
    keeper,
    reached,
    told,
    undisturbed,
    worker,
)
from waiting import until

from backends import checkpoints
from backends.records import (
    Checkpoint,
    End,
    Mark,
    Notice,
    Phase,
    RunSpec,
    Sample,
    Scalar,
    Start,
    Step,
)
from genai_tui import launch, liveness, reporter
from genai_tui.launch import LaunchError
from genai_tui.liveness import Identity
from genai_tui.reporter import Reporter
from genai_tui.store import Run, RunError, Store

STEPS = 150
ASKED = f"""
    width=4 latent=2 batch_size=32 validation=0.01 precision=float32 threads=1
    steps={STEPS} log_every=3 checkpoint_every=20 checkpoint_minutes=0
    sample_every=60 sample_count=4 validate_every=50 validate_batches=1
"""
SETTINGS = dict(word.split("=") for word in ASKED.split())


# --------------------------------------------------------------------------- runs to be tortured


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """What all runs here train, as a real planning worker has planned it."""
    store = Store(tmp_path_factory.mktemp("planned"))
    return launch.create(store, model="vae/conv", settings=SETTINGS, seed=3).spec()


@pytest.fixture
def run(store: Store, spec: RunSpec) -> Run:
    return create(store, spec)


@pytest.fixture(scope="module")
def straight(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The same training, in one go and in this process."""
    return undisturbed(spec, tmp_path_factory.mktemp("undisturbed"))


# --------------------------------------------------------------------------- the main job


def start_in_a_terminal_that_hangs_up(run: Run) -> None:
    """Starts a run from a process in a terminal of its own, then closes the terminal."""
    code = (
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "from pathlib import Path; from genai_tui import launch; from genai_tui.store import Run;"
        f"launch.start(Run(Path({str(run.path)!r}))); print('started', flush=True); input()"
    )
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    said = b""
    while b"started" not in said:
        said += os.read(master, 1000)
    os.close(master)
    process.wait(timeout=10)
    assert process.returncode != 0  # by the signal, or by what it read from a dead terminal


def test_a_run_outlives_its_terminal_and_its_worker(run: Run, straight: Outcome) -> None:
    start_in_a_terminal_that_hangs_up(run)
    assert run.state() in ("starting", "running")
    until(reached(run, 45), 60)
    first, guard = worker(run), keeper(run)
    assert run.state() == "running"
    assert run.liveness().worker
    assert liveness.send(first, signal.SIGKILL)
    until(lambda: len(told(run, Start)) == 2, 60)
    second = worker(run)
    asked = run.command("checkpoint")
    until(in_state(run, "finished"), 60)
    until(gone(guard, second))

    status = run.status()
    assert (status.step, status.of, status.exit_code, status.restarts) == (STEPS, STEPS, 0, 1)
    assert (status.attempt, status.worker, status.reason, status.checkpoint) == (2, None, "", STEPS)
    one, two = told(run, Start)
    assert (one.step, one.attempt, two.attempt) == (0, 1, 2)
    assert two.step in (0, 20, 40)
    assert [mark.answer for mark in told(run, Mark) if mark.id == asked.id] == ["accepted", "done"]
    assert isinstance(told(run)[-1], End)
    assert "killed by SIGKILL" in run.console.read_text()
    assert straight.is_that_of(run)
    for path in (run.path, *run.path.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.long  # all in one run; rows 2 to 5 of docs/faults.md have each by itself
def test_a_run_is_stopped_orphaned_and_shot_and_ends_the_same(run: Run, straight: Outcome) -> None:
    begin = time.monotonic()
    launch.start(run)
    assert time.monotonic() - begin < 5  # a keeper says so before anything heavy is imported

    until(reached(run, 15), 60)
    first = [keeper(run), worker(run)]
    for process in first:  # as a system does that shuts down; the keeper passes its own on
        liveness.send(process, signal.SIGTERM)
    until(in_state(run, "stopped"))
    until(gone(*first))
    end, status = told(run)[-1], run.status()
    assert isinstance(end, End)
    assert (end.state, end.exit_code, status.exit_code) == ("stopped", 75, 75)
    assert checkpoints.steps(run.path / "checkpoints")[-1] == end.step == status.step
    assert (status.worker, status.eta) == (None, None)

    launch.resume(run)
    until(reached(run, 45), 60)
    assert told(run, Start)[-1].step == end.step
    second = [keeper(run), worker(run)]
    assert liveness.send(second[0], signal.SIGKILL)
    until(in_state(run, "interrupted"), 2)
    launch.resume(run)  # at once: the old worker may still be saving
    until(gone(*second), 5)
    until(reached(run, 75), 60)
    orphaned = told(run, Start)[-1].step
    assert orphaned in {checkpoint.step for checkpoint in told(run, Checkpoint)}
    assert orphaned > 40

    third = [keeper(run), worker(run)]
    for process in third:
        assert liveness.send(process, signal.SIGKILL)
    until(in_state(run, "interrupted"), 2)
    until(lambda: not run.is_held(), 5)
    with pytest.raises(RunError, match="is interrupted: stop needs a run"):
        run.command("stop")
    launch.resume(run)
    until(in_state(run, "finished"), 60)
    assert [start.attempt for start in told(run, Start)] == [1, 2, 3, 4]
    assert [end.state for end in told(run, End)] == ["stopped", "finished"]
    assert straight.is_that_of(run)
    with pytest.raises(LaunchError, match=f"is finished at step {STEPS}: give a greater number"):
        launch.resume(run)


# --------------------------------------------------------------------------- workers that fail


def test_a_wrong_configuration_fails_at_once(store: Store, spec: RunSpec) -> None:
    run = create(store, spec, model="vae/convolution")
    launch.start(run)
    until(in_state(run, "failed"), 60)
    status, end = run.status(), told(run)[-1]
    assert isinstance(end, End)
    assert (end.exit_code, status.exit_code, status.restarts, status.attempt) == (78, 78, 0, 1)
    assert status.reason == end.reason
    assert "unknown model: 'vae/convolution'; did you mean vae/conv" in end.reason
    until(lambda: not run.is_held())


def test_a_full_disk_ends_the_run_and_says_so(run: Run) -> None:
    """A limit on the size of files stands in for the disk: the weights do not fit."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "from pathlib import Path; from genai_tui import launch; from genai_tui.store import Run;"
        f"launch.start(Run(Path({str(run.path)!r})))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    until(in_state(run, "failed"), 60)
    status, end = run.status(), told(run)[-1]
    assert isinstance(end, End)
    assert (end.exit_code, status.exit_code, status.attempt) == (74, 74, 1)
    assert end.reason.startswith("File too large")
    assert checkpoints.steps(run.path / "checkpoints") == []


def test_a_console_that_is_full_does_not_hide_how_it_ended(
    run: Run, torch_is: Callable[[str], None]
) -> None:
    torch_is("raise OSError(28, 'No space left on device')")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(attempt(run, 5), stdout=full, stderr=full, timeout=60)
    assert done.returncode == 74
    assert told(run)[-1].reason.startswith("No space left on device")


def test_a_crash_is_on_record(run: Run, torch_is: Callable[[str], None]) -> None:
    torch_is("raise FileNotFoundError(2, 'No such file or directory', 'libsomething.so')")
    done = subprocess.run(attempt(run, 5), capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"Traceback" in done.stderr
    [notice] = told(run, Notice)
    assert notice.level == "error"
    assert "FileNotFoundError" in notice.text
    assert "libsomething.so" in notice.text


# --------------------------------------------------------------------------- what a list sees


def test_a_status_sums_up_what_was_recorded(run: Run) -> None:
    pen = Reporter(run, of=1000, attempt=3)
    assert run.status().state == "starting"
    pen.record(Start(step=0, t=0.0, attempt=3, of=1000))
    for step in range(1, 1001):
        rates: dict[str, Scalar] = {"steps_per_second": 2.0, "items_per_second": 64.0}
        pen.record(Step(step=step, t=0.0, values={"loss": 1 / step, "kl": 0.0}, rates=rates))
    for phase, state, speed in (
        ("saving", "running", 2.0),
        ("paused", "paused", None),
        ("training", "running", None),
    ):
        pen.record(Phase(step=1000, t=0.0, name=phase))
        assert (run.status().state, run.status().phase) == (state, phase)
        assert run.status().steps_per_second == speed  # none is known while no step is taken
    pen.record(Checkpoint(step=1000, t=0.0, path="checkpoints/step-001000"))
    pen.record(Sample(step=1000, t=0.0, path="samples/x", modality="image", count=1))
    pen.close()
    status = run.status()
    assert (status.step, status.of, status.attempt, status.loss) == (1000, 1000, 3, 0.001)
    assert (status.checkpoint, status.sample) == (1000, "samples/x")
    assert 16 <= len(status.curve) <= 32
    assert status.curve == sorted(status.curve, reverse=True)
    assert status.curve[0] == 1.0
    assert status.worker is not None
    assert liveness.is_alive(Identity(status.worker.pid, status.worker.started))
    assert len(told(run, Step)) == 1000


def test_a_resumed_run_does_not_seem_to_begin_anew(run: Run) -> None:
    before = Reporter(run, of=1000, attempt=1)
    before.record(Start(step=500, t=0.0, attempt=1, of=1000))
    before.close()
    after = Reporter(run, of=1000, attempt=2)
    after.record(Phase(step=0, t=0.0, name="loading the checkpoint"))
    assert (run.status().state, run.status().phase) == ("starting", "loading the checkpoint")
    assert run.status().step == 500
    after.record(Start(step=480, t=0.0, attempt=2, of=1000))
    assert (run.status().state, run.status().step) == ("running", 480)
    after.close()


def test_a_heart_beats_while_a_step_takes_long(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "HEARTBEAT_SECONDS", 0.01)
    pen = Reporter(run, of=1000, attempt=1)
    before = run.status().heartbeat
    until(lambda: run.status().heartbeat > before)
    pen.close()


# --------------------------------------------------------------------------- one at a time


def test_a_worker_whose_keeper_is_dead_already_does_not_begin(
    run: Run, torch_is: Callable[[str], None]
) -> None:
    torch_is("import os; os._exit(3)")
    dead = subprocess.Popen(["true"])
    dead.wait()
    environment = {**os.environ, "GENAI_TUI_KEEPER": str(dead.pid)}
    done = subprocess.run(attempt(run, 5), env=environment, capture_output=True, timeout=60)
    assert done.returncode == 75
    assert run.state() == "interrupted"
    assert "its keeper died" in run.status().reason


def test_a_run_that_is_gone_cannot_be_started(run: Run) -> None:
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="cannot be read: No such file"):
        launch.start(Run(run.path))
