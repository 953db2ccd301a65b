"""What the screen asks of workers: answers are remembered, refusals leave nothing behind."""

import io
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiny import run as train_all
from tiny import smallest

from backends import records
from backends.datasets._shape import shape_state
from backends.records import PlanRequest, RunSpec, SampleRequest, Status
from genai_tui import answers, launch, liveness
from genai_tui.launch import LaunchError, Planner
from genai_tui.store import Run, RunError, Store, write_atomic


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    found = Planner()
    yield found
    found.close()


def spec(identity: str = "20260101-000000-vae-conv-aaaa", **fields: Any) -> RunSpec:
    known = {"name": "a run", "model": "vae/conv", "dataset": "fashion-mini"}
    return RunSpec(id=identity, **{**known, "train_config": {"steps": 50}, **fields})


# --------------------------------------------------------------------------- the catalogue


NOISY = """import sys
print("welcome to my library", flush=True)
print("and to its log", file=sys.stderr)
raise ImportError("not on this machine")
"""


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package's model that prints when it is imported; a memory of its own."""
    (tmp_path / "noisy.py").write_text(NOISY)
    info = tmp_path / "noisy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genai_tui.models]\nadded/noisy = noisy\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("noisy")
def test_the_catalogue_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = launch.catalogue()
    by_name = {model.name: model for model in told.models}
    assert not by_name["vae/conv"].error
    assert "not on this machine" in by_name["added/noisy"].error
    with monkeypatch.context() as patch:
        patch.setattr(launch, "_ask_worker", lambda _: pytest.fail("it was remembered"))
        assert launch.catalogue() == told
    asked: list[list[str]] = []

    def answer(arguments: list[str]) -> bytes:
        asked.append(arguments)
        return msgspec.json.encode(told)

    monkeypatch.setattr(launch, "_ask_worker", answer)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert launch.catalogue() == told
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert launch.catalogue(refresh=True) == told
    assert asked == [["describe"], ["describe"]]


@pytest.mark.parametrize("garbage", [b"", b"{", b"[1]", b'{"stamp":1}', b"\xff\xfe"])
def test_a_damaged_memory_is_asked_anew(
    garbage: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path))
    (tmp_path / "catalogue.json").write_bytes(garbage)
    told = msgspec.json.encode(records.Catalogue(torch="x"))
    monkeypatch.setattr(launch, "_ask_worker", lambda _: told)
    assert launch.catalogue().torch == "x"
    assert launch.catalogue().torch == "x"
    assert json.loads((tmp_path / "catalogue.json").read_bytes())["catalogue"]["torch"] == "x"


def test_a_cache_that_cannot_be_written_is_only_slower(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path / "file"))
    told = msgspec.json.encode(records.Catalogue(torch="x"))
    monkeypatch.setattr(launch, "_ask_worker", lambda _: told)
    assert launch.catalogue().torch == "x"


def test_a_machine_without_torch_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("print('loading'); raise ImportError('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(LaunchError, match="ImportError: no such library"):
        launch.catalogue(refresh=True)


# --------------------------------------------------------------------------- planning


def test_one_planner_answers_again_and_again(planner: Planner) -> None:
    good = planner.plan(PlanRequest(model="vae/conv", settings={"width": "8"}))
    assert not good.error
    assert good.model_config["width"] == 8
    bad = planner.plan(PlanRequest(model="vae/conv", settings={"widht": "8"}))
    assert "did you mean width" in bad.error
    assert planner.plan(PlanRequest(model="vae/conv", settings={"width": "8"})) == good


def test_a_planner_that_dies_says_so_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    mortal = Planner()
    monkeypatch.setattr(
        launch, "worker_command", lambda _: ["sh", "-c", "echo my last words >&2; exit 3"]
    )
    with pytest.raises(LaunchError, match="the planning worker died: my last words"):
        mortal.plan(PlanRequest(model="vae/conv"))
    plan = msgspec.json.encode(records.Plan(parameters=7)).decode()
    monkeypatch.setattr(
        launch, "worker_command", lambda _: ["sh", "-c", f"read x; echo '{plan}'; read y"]
    )
    assert mortal.plan(PlanRequest(model="vae/conv")).parameters == 7
    process = mortal._process
    assert process is not None
    mortal.close()
    assert process.returncode == -signal.SIGKILL
    mortal.close()


# --------------------------------------------------------------------------- creating


def test_a_run_is_created_with_every_knob(store: Store, planner: Planner) -> None:
    run = launch.create(
        store, model="vae/conv", settings={"width": "8", "steps": "9"}, seed=5, planner=planner
    )
    made = run.spec()
    assert made.id == run.id
    assert made.name == f"conv-{run.id[-4:]}"
    assert (made.model, made.dataset, made.seed, made.device) == (
        *("vae/conv", "fashion-mini", 5, "auto"),
    )
    assert (made.model_config["width"], made.train_config["steps"]) == (8, 9)
    assert {"latent", "likelihood"} <= set(made.model_config)
    assert {"lr", "batch_size", "threads"} <= set(made.train_config)
    assert {"python", "torch", "genai-tui"} <= set(made.versions)
    assert abs(made.created - time.time()) < 60
    assert run.state() == "interrupted"  # nobody has started it


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"model": "vae/cnov"}, "did you mean vae/conv"),
        ({"dataset": "/no/such/data"}, "does not exist"),
        ({"settings": {"width": "0"}}, "width must be"),
        ({"settings": {"wings": "2"}}, "unknown knob"),
        ({"device": "tpu"}, "there is no device 'tpu'"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_leaves_nothing_behind(
    store: Store, planner: Planner, request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LaunchError, match=sentence):
        launch.create(store, **{"model": "vae/conv", "planner": planner, **request_})
    assert not store.root.exists()


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path, planner: Planner) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        launch.create(Store(tmp_path / "file"), model="vae/conv", planner=planner)


# --------------------------------------------------------------------------- starting and resuming


def ended(store: Store, state: str, **fields: Any) -> Run:
    run = store.create(spec())
    status = Status(state=state, host=socket.gethostname(), of=50, **fields)
    write_atomic(run.path / "status.json", records.encode(status))
    return run


def test_a_run_that_is_training_is_neither_started_nor_resumed(store: Store) -> None:
    run = ended(store, "running", step=20)
    lock = liveness.hold_keeper(run.path / "keeper.lock")
    try:
        with pytest.raises(LaunchError, match="run a run is running already"):
            launch.resume(run)
        with pytest.raises(LaunchError, match="cannot be started: the run is being trained"):
            launch.start(run)
    finally:
        os.close(lock)


@pytest.mark.parametrize(
    ("state", "step", "steps", "sentence"),
    [
        ("finished", 50, None, "is finished at step 50: give a greater number of steps"),
        ("finished", 50, 50, "is finished at step 50"),
        ("finished", 50, 10, "is finished at step 50"),
        ("stopped", 30, 20, "is at step 30 already, beyond 20"),
    ],
)
def test_a_run_with_nothing_left_to_do_is_not_resumed(
    store: Store, state: str, step: int, steps: int | None, sentence: str
) -> None:
    run = ended(store, state, step=step)
    with pytest.raises(LaunchError, match=sentence):
        launch.resume(run, steps)
    assert not (run.path / "keeper.lock").exists()


@pytest.mark.parametrize(
    ("state", "fields", "steps", "target"),
    [
        ("stopped", {"step": 30}, None, 50),
        ("stopped", {"step": 30}, 40, 40),
        ("finished", {"step": 50}, 80, 80),
        ("failed", {"step": 3}, None, 50),
        ("running", {"step": 3}, None, 50),
    ],
    ids=str,
)
def test_a_run_goes_on_to_its_target_without_old_commands(
    store: Store,
    state: str,
    fields: dict[str, Any],
    steps: int | None,
    target: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = ended(store, state, **fields)
    (run.control / "0.json").write_bytes(b'{"id":"1","verb":"stop","t":1.0}')
    started: list[int] = []
    monkeypatch.setattr(launch, "start", lambda run, steps: started.append(steps))
    launch.resume(run, steps)
    assert started == [target]
    assert list(run.control.iterdir()) == []


def test_a_keeper_that_cannot_work_is_one_sentence(store: Store) -> None:
    run = store.create(spec())
    (run.path / "keeper.lock").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LaunchError, match=f"its keeper did not answer; see {run.console}"):
        launch.start(run)
    assert len(os.listdir("/proc/self/fd")) == before


# --------------------------------------------------------------------------- samples


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has trained its smallest model for two steps."""
    model, dataset = smallest("vae/conv")
    store = Store(tmp_path_factory.mktemp("trained"))
    run = store.create(spec(model_config=asdict(model.config)))
    meta = {"model": "vae/conv", "shape": shape_state(dataset.shape)}
    train_all(run.path, model, dataset=dataset, meta=meta, steps=2, checkpoint_every=1)
    return run


def test_samples_are_drawn_by_a_worker(trained: Run, tmp_path: Path) -> None:
    request = SampleRequest(count=3, seed=4, labels=[7])
    told = launch.sample(trained, request, tmp_path / "out", step=1)
    assert told == {"step": 1, "count": 3, "path": str(tmp_path / "out")}
    asked = json.loads((tmp_path / "out/request.json").read_bytes())
    assert asked["labels"] == [7, 7, 7]
    assert len(list((tmp_path / "out").glob("00?.png"))) == 3


@pytest.mark.parametrize(
    ("step", "request_", "sentence", "code"),
    [
        (9, b'{"count":1}', "there is no checkpoint at step 9; there are 0, 1, 2", 1),
        (-1, b'{"count":1,"labels":[99]}', "label 99 does not exist", 2),
        (-1, b'{"count":1,"prompt":"x"}', "this model cannot be asked for prompt", 2),
        (-1, b'{"count":0}', "count must be from 1", 2),
    ],
)
def test_samples_that_cannot_be_drawn_are_one_sentence(
    trained: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    step: int,
    request_: bytes,
    sentence: str,
    code: int,
) -> None:
    assert (
        answers.sample(io.BytesIO(), trained.path, step, request_.decode(), tmp_path / "out")
        == code
    )
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_checkpoint_has_no_samples(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = store.create(spec())
    assert answers.sample(io.BytesIO(), run.path, -1, '{"count":1}', tmp_path / "out") == 1
    assert "this run has no checkpoint yet" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert answers.sample(io.BytesIO(), trained.path, -1, '{"count":1}', tmp_path / "file/out") == 1
    assert "cannot be written" in capsys.readouterr().err
