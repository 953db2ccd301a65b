"""genai-tui doctor, and the runs that wait for a resume: every fault planted is a line found."""

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from build_runs import build
from cli_tools import Cli, inside

from backends.records import Catalogue, Device, ModelInfo
from genai_tui import launch
from genai_tui.doctor import box, house, screen
from genai_tui.doctor.finding import Finding
from genai_tui.images.detect import Graphics
from genai_tui.store import Run, Store
from genai_tui.telemetry.record import Gpu, Host, Snapshot

CPU = Catalogue(devices=[Device(name="cpu", caption="2 cores")], torch="2.13.0")


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


def verdicts(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.about, finding.verdict) for finding in findings]


def snapshot(*gpus: Gpu) -> Snapshot:
    return Snapshot(t=0.0, gpus=list(gpus), gpu_problem="", host=Host())


# --------------------------------------------------------------------------- the box


def test_pytorch_that_is_not_there_fails_and_its_devices_are_told() -> None:
    assert verdicts(box.torch("PyTorch cannot be imported")) == [("torch", "fail")]
    (found,) = box.torch(CPU)
    assert (found.verdict, found.found) == ("ok", "2.13.0, computes on cpu (2 cores)")


def test_an_entry_that_cannot_be_imported_is_named() -> None:
    broken = Catalogue(models=[ModelInfo(name="gan/mine", error="SyntaxError: line 3")])
    assert "gan/mine: SyntaxError" in list(box.torch(broken))[1].found


def test_gpus_that_pytorch_cannot_use_are_a_warning() -> None:
    card = Gpu(name="H100", index=1)
    found = list(box.gpus(snapshot(card, Gpu(index=2, problem="GPU is lost")), CPU))
    assert verdicts(found) == [("gpu 1", "ok"), ("gpu 2", "warn"), ("torch", "warn")]
    cuda = Catalogue(devices=[Device(name="cuda:0")], torch="2.13.0")
    assert verdicts(box.gpus(snapshot(card), cuda)) == [("gpu 1", "ok")]
    assert verdicts(box.gpus(snapshot(), CPU)) == [("gpu", "ok")]


def test_a_clock_that_was_set_back_is_noticed() -> None:
    assert box.clock([], now=100.0).verdict == "ok"
    assert box.clock([90.0, 130.0], now=100.0).verdict == "ok"
    assert box.clock([90.0, 86_500.0], now=100.0).verdict == "warn"


@pytest.mark.parametrize(
    ("text", "lingers", "verdict"),
    [
        ("[Login]\n#KillUserProcesses=yes\n", False, "ok"),
        ("[Login]\nKillUserProcesses=no\n", False, "ok"),
        ("[Login]\nKillUserProcesses = yes\n", False, "warn"),
        ("[Login]\nKillUserProcesses=yes\n", True, "ok"),
    ],
)
def test_a_login_that_kills_what_it_started(
    tmp_path: Path, text: str, lingers: bool, verdict: str
) -> None:
    folder = tmp_path / "etc/systemd/logind.conf.d"
    folder.mkdir(parents=True)
    (folder / "kill.conf").write_text(text)
    if lingers:
        (tmp_path / box.LINGER).mkdir(parents=True)
        (tmp_path / box.LINGER / "ada").touch()
    found = box.logout(tmp_path, "ada")
    assert found.verdict == verdict
    assert (found.remedy == "loginctl enable-linger ada") == (verdict == "warn")


# --------------------------------------------------------------------------- the store


def test_a_store_that_others_may_read_is_a_warning_with_its_remedy(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    assert house.permissions(root).verdict == "ok"
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    assert house.permissions(root).remedy == f"chmod 700 {root}"
    root.chmod(0o700)
    assert house.permissions(root).verdict == "ok"
    file = tmp_path / "file"
    file.touch()
    assert house.permissions(file).verdict == "fail"


def test_what_an_interrupted_save_left_is_counted(store: Store) -> None:
    run = build(store, "shoes", telemetry=0, step=20, of=20)
    runs = store.summaries()
    assert house.leftovers(store.root, runs).verdict == "ok"
    left = run.path / "checkpoints" / ".tmp-000020-77"
    left.mkdir(parents=True)
    (left / "tensors-0.safetensors").write_bytes(b"x" * 2000)
    found = house.leftovers(store.root, runs)
    assert found.verdict == "warn"
    assert "1 half-made folder, 2.0 kB" in found.found
    assert left.name in found.found


def test_what_killed_imports_left_is_named_where_one_stands(
    cli: Cli, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "catalogue", lambda refresh: CPU)
    monkeypatch.chdir(tmp_path)
    assert "imports  " not in cli("doctor").out
    left = tmp_path / ".import-k3f9"
    left.mkdir()
    (left / "theirs.safetensors").write_bytes(b"x" * 2000)
    os.utime(left, (0, 0))
    (told,) = [each for each in cli("doctor", "--json").json if each["about"] == "imports"]
    assert told["found"] == f"1 half-made folder, 2.0 kB: {left.name} in {tmp_path}"
    assert "the next import to there sweeps them" in told["remedy"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_on_which_the_next_checkpoint_does_not_fit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, verdict in ((house.LEAST_BYTES - 1, "warn"), (house.LEAST_BYTES, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(2**40, 0, free))
        assert house.disk(store.root, []).verdict == verdict


def test_interrupted_and_broken_runs_are_named(store: Store) -> None:
    build(store, "fine", telemetry=0, step=20, of=20, seed=1)
    build(store, "gone", telemetry=0, step=20, of=40, state="running", seed=2)
    (store.root / "20260101-000000-odd").mkdir()
    (store.root / "20260101-000000-odd" / "run.json").write_text("{")
    found = {each.about: each for each in house.states(store.summaries(), store.root)}
    assert found["runs"].found == "3, of which 0 go on"
    assert found["interrupted"].found == "1: gone"
    assert found["broken"].verdict == "warn"


# --------------------------------------------------------------------------- the terminal


def test_a_terminal_tells_what_would_make_it_better() -> None:
    graphics = Graphics(why="tmux", hint="set -g allow-passthrough on")
    found = list(screen.terminal({"TERM": "xterm"}, os.terminal_size((70, 20)), graphics))
    assert verdicts(found) == [("terminal", "warn"), ("colours", "warn"), ("pictures", "warn")]
    best = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}
    fine = list(screen.terminal(best, os.terminal_size((80, 24)), Graphics()))
    assert {each.verdict for each in fine} == {"ok"}
    assert verdicts(screen.terminal({}, None, graphics)) == [("terminal", "ok")]


# --------------------------------------------------------------------------- the command line


def test_doctor_says_a_line_a_thing_and_fails_with_what_fails(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "catalogue", lambda refresh: CPU)
    told = cli("doctor", "--json")
    assert told.status == 0
    assert {each["about"] for each in told.json} > {"torch", "store", "disk", "clock", "logout"}
    assert all(each["verdict"] == "ok" or each["remedy"] for each in told.json)
    assert cli("doctor").out.startswith("ok    python ")

    def refuse(refresh: bool) -> Catalogue:
        raise launch.LaunchError("PyTorch cannot be imported")

    monkeypatch.setattr(launch, "catalogue", refuse)
    ill = cli("doctor")
    assert ill.status == 1
    assert "fail  torch         PyTorch cannot be imported\n" in ill.out


def test_all_interrupted_runs_are_resumed_and_one_that_cannot_does_not_stop_the_others(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run is interrupted." in cli("resume", "--interrupted").out
    build(store, "fine", telemetry=0, step=20, of=20, created=time.time(), seed=1)
    for seed, name in ((2, "one"), (3, "two"), (4, "three")):
        build(store, name, telemetry=0, step=20, of=40, state="running", seed=seed)
    asked: list[str] = []

    def resume(run: Run, steps: int | None) -> None:
        asked.append(run.name)
        if run.name == "two":
            raise launch.LaunchError("its data are gone")

    monkeypatch.setattr(launch, "resume", resume)
    told = cli("resume", "--interrupted")
    assert sorted(asked) == ["one", "three", "two"]
    assert told.status == 1
    assert told.out.count(" goes on from step 20.") == 2
    assert told.err == "genai-tui: 1 of 3 not resumed: two: its data are gone\n"


def test_resume_needs_to_know_what(cli: Cli, store: Store) -> None:
    cli("resume").refused("resume needs RUN, or --interrupted")
    cli("resume", "--interrupted", "--steps", "5").refused("neither RUN nor --steps")
