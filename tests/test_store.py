"""A store of folders: what is there is found, what is broken is said, what lives is guarded."""

import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from build_runs import build
from waiting import python, ready

from backends import records
from backends.records import RunSpec, Status, Step
from genai_tui.log import Log
from genai_tui.store import Run, RunError, Store, write_atomic


def spec(identity: str, name: str = "a run", **fields: Any) -> RunSpec:
    known: dict[str, Any] = {"model": "vae/conv", "dataset": "fashion-mini", "created": 1.0}
    return RunSpec(id=identity, name=name, **{**known, **fields})


def write_status(run: Run, **fields: Any) -> None:
    known: dict[str, Any] = {"host": socket.gethostname(), "heartbeat": time.time()}
    write_atomic(run.path / "status.json", records.encode(Status(**{**known, **fields})))


@pytest.fixture
def run(store: Store) -> Run:
    return store.create(spec("20260101-000000-vae-conv-aaaa"))


@pytest.fixture
def held(run: Run) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Processes that hold the run's locks, by kind."""
    holders = {}
    for kind in ("keeper", "worker"):
        path = str(run.path / f"{kind}.lock")
        holders[kind] = python(
            "from pathlib import Path; from genai_tui import liveness;"
            f"liveness.hold_{kind}(Path({path!r})); print('ready', flush=True); input()"
        )
        ready(holders[kind])
    yield holders
    for holder in holders.values():
        holder.kill()
        holder.communicate()


def end(holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()


# --------------------------------------------------------------------------- create and list


def test_a_run_is_a_folder_of_open_files_for_its_owner_alone(store: Store) -> None:
    old = os.umask(0)
    try:
        run = store.create(spec("one", "first"))
        run_again = Run(run.path)
    finally:
        os.umask(old)
    assert run_again.spec() == spec("one", "first")
    assert b'\n  "model": "vae/conv"' in (run.path / "run.json").read_bytes()
    for path in (store.root, run.path, *run.path.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert {path.name for path in run.path.iterdir()} == {
        "run.json",
        "samples",
        "checkpoints",
        "control",
    }


def test_a_store_that_is_not_there_is_empty(store: Store) -> None:
    assert store.runs() == []
    assert store.summaries() == []
    assert not store.root.exists()


def test_the_newest_run_comes_first(store: Store) -> None:
    for identity in ("20260101-a", "20260301-c", "20260201-b"):
        store.create(spec(identity))
    assert [run.id for run in store.runs()] == ["20260301-c", "20260201-b", "20260101-a"]


def test_what_is_no_run_is_passed_over(store: Store, run: Run) -> None:
    (store.root / ".deleted-x").mkdir()
    (store.root / "notes.txt").write_text("hello")
    (store.root / "link").symlink_to(run.path)
    assert [found.id for found in store.runs()] == [run.id]


def test_ids_are_readable_and_differ(store: Store) -> None:
    made = {store.new_id("gan/DC gan\x1b[2J") for _ in range(50)}
    assert len(made) == 50
    assert all(identity.endswith("-gan-dc-gan-2j-" + identity[-4:]) for identity in made)


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"the store .* cannot be written \(.*\); choose another"):
        Store(tmp_path / where).create(spec("one"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_store_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"the store .*file cannot be read: Not a directory"):
        Store(tmp_path / "file").summaries()


def test_a_run_that_could_not_be_written_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        store.create(spec("one"))
    assert list(store.root.iterdir()) == []


def test_thousands_of_runs_are_listed(store: Store) -> None:
    first = store.create(spec("20260101-000000-vae-conv-0000"))
    document = (first.path / "run.json").read_bytes()
    for index in range(1, 5000):
        folder = store.root / f"20260101-000000-vae-conv-{index:04d}"
        folder.mkdir()
        (folder / "run.json").write_bytes(document)
    summaries = store.summaries()
    assert len(summaries) == 5000
    assert {summary.state for summary in summaries} == {"interrupted"}
    assert store.run("20260101-000000-vae-conv-4321").id.endswith("4321")


# --------------------------------------------------------------------------- broken ones

NEWER = msgspec.json.encode(spec("x", format=99))
BROKEN = {
    "no run.json": ("run.json", None, "No such file"),
    "empty run.json": ("run.json", b"", "damaged"),
    "torn run.json": ("run.json", b'{"id": "x", "na', "damaged"),
    "no utf-8": ("run.json", b'{"id":"\xff\xfe","name":"","model":"","dataset":""}', "damaged"),
    "deep": ("run.json", b'{"id":"x","x":' + b"[" * 50_000, "damaged"),
    "a list": ("run.json", b"[1, 2]", "damaged"),
    "wrong types": ("run.json", b'{"id":1,"name":2,"model":3,"dataset":4}', "damaged"),
    "lacking": ("run.json", b'{"id":"x"}', "damaged"),
    "newer": ("run.json", NEWER, "newer genai-tui"),
    "garbage status": ("status.json", b"\x00\x01\x02", "damaged"),
    "wrong status": ("status.json", b'{"state":"dancing"}', "damaged"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_run_says_so_and_spoils_no_other(store: Store, how: str) -> None:
    good = [store.create(spec(identity)) for identity in ("20260101-a", "20260103-c")]
    bad = store.create(spec("20260102-b"))
    name, content, reason = BROKEN[how]
    (bad.path / name).unlink(missing_ok=True)
    if content is not None:
        (bad.path / name).write_bytes(content)
    first, broken, last = store.summaries()
    assert (first.id, last.id) == (good[1].id, good[0].id)
    assert {first.state, last.state} == {"interrupted"}
    assert broken.state == "broken"
    assert broken.id == broken.name == bad.id
    assert reason in broken.error
    assert store.run("20260102").label in (bad.id, "a run")


def test_a_run_that_is_mended_is_seen(store: Store, run: Run) -> None:
    document = (run.path / "run.json").read_bytes()
    (run.path / "run.json").unlink()
    assert store.summaries()[0].state == "broken"
    (run.path / "run.json").write_bytes(document)
    assert store.summaries()[0].state == "interrupted"


# --------------------------------------------------------------------------- references


@pytest.fixture
def three(store: Store) -> Store:
    store.create(spec("20260101-vae-aaaa", "first"))
    store.create(spec("20260102-gan-bbbb", "twin"))
    store.create(spec("20260103-gan-cccc", "twin"))
    return store


@pytest.mark.parametrize(
    ("reference", "identity"),
    [
        ("20260101-vae-aaaa", "20260101-vae-aaaa"),
        ("20260101", "20260101-vae-aaaa"),
        ("first", "20260101-vae-aaaa"),
        ("latest", "20260103-gan-cccc"),
        ("20260102", "20260102-gan-bbbb"),
    ],
)
def test_a_reference_finds_its_run(three: Store, reference: str, identity: str) -> None:
    assert three.run(reference).id == identity


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("twin", "'twin' means 2 runs: 20260103-gan-cccc, 20260102-gan-bbbb"),
        ("2026010", "'2026010' means 3 runs"),
        ("frist", "no run 'frist'; the nearest are first"),
        ("", "no run ''"),
        ("\x1b[2J", "no run '·[2J'"),
        ("../20260101-vae-aaaa", "no run"),
    ],
)
def test_a_reference_that_means_no_run_or_several_is_refused(
    three: Store, reference: str, sentence: str
) -> None:
    with pytest.raises(RunError) as refused:
        three.run(reference)
    assert sentence in str(refused.value)


def test_an_empty_reference_never_means_the_only_run(store: Store, run: Run) -> None:
    with pytest.raises(RunError):
        store.run("")


def test_an_id_goes_before_a_name(three: Store) -> None:
    three.create(spec("20260104-x", "20260101-vae-aaaa"))
    assert three.run("20260101-vae-aaaa").id == "20260101-vae-aaaa"


def test_an_empty_store_says_how_to_begin(store: Store) -> None:
    with pytest.raises(RunError, match=r"there are no runs in .*; start one with: genai-tui demo"):
        store.run("latest")


# --------------------------------------------------------------------------- who is alive


def test_a_run_is_running_while_its_keeper_lives(
    run: Run, held: dict[str, subprocess.Popen[bytes]]
) -> None:
    write_status(run, state="running")
    assert run.state() == "running"
    assert (run.liveness().keeper, run.liveness().worker) == (True, True)
    end(held["worker"])
    assert run.state() == "running"  # the keeper restarts it
    assert (run.liveness().keeper, run.liveness().worker) == (True, False)
    end(held["keeper"])
    assert run.state() == "interrupted"
    assert run.summary().state == "interrupted"


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_ended_run_stays_what_it_is(run: Run, state: str) -> None:
    write_status(run, state=state)
    assert run.state() == state


def test_on_another_host_the_heartbeat_decides(run: Run) -> None:
    write_status(run, state="running", host="elsewhere", heartbeat=time.time() - 2)
    assert run.state() == "running"
    write_status(run, state="running", host="elsewhere", heartbeat=time.time() - 600)
    assert run.state() == "interrupted"


def test_a_list_notices_that_a_keeper_died(
    store: Store, run: Run, held: dict[str, subprocess.Popen[bytes]]
) -> None:
    write_status(run, state="paused")
    assert store.summaries()[0].state == "paused"
    end(held["keeper"])
    assert store.summaries()[0].state == "interrupted"


def test_runs_of_one_second_are_listed_in_the_order_of_their_creation(store: Store) -> None:
    for ending, created in (("b", 1.0), ("a", 2.0), ("c", 3.0)):
        store.create(spec(f"20260101-000000-{ending}", created=created))
    assert [run.id[-1] for run in store.summaries()] == ["c", "a", "b"]


def test_a_list_notices_a_new_status(store: Store, run: Run) -> None:
    write_status(run, state="stopped", step=5)
    assert store.summaries()[0].status.step == 5
    write_status(run, state="finished", step=9)
    assert (store.summaries()[0].state, store.summaries()[0].status.step) == ("finished", 9)


def test_a_command_needs_somebody_to_take_it(
    run: Run, held: dict[str, subprocess.Popen[bytes]]
) -> None:
    write_status(run, state="running")
    command = run.command("set", knob="lr", value=0.5)
    [file] = run.control.iterdir()
    assert records.decode_command(file.read_bytes()) == command
    end(held["keeper"])
    with pytest.raises(RunError, match="run a run is interrupted: stop needs a run that is"):
        run.command("stop")
    assert list(run.control.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["keeper", "worker"])
def test_a_run_is_not_deleted_while_somebody_is_at_it(
    store: Store, run: Run, held: dict[str, subprocess.Popen[bytes]], kind: str
) -> None:
    write_status(run, state="running")
    end(held["worker" if kind == "keeper" else "keeper"])
    with pytest.raises(RunError, match="is training: stop it before you delete it"):
        run.delete()
    assert run.spec().id == run.id
    end(held[kind])
    run.delete()
    assert store.runs() == []
    assert list(store.root.iterdir()) == []


# --------------------------------------------------------------------------- what is in a run


def test_a_run_tells_what_it_holds(run: Run) -> None:
    for folder in ("samples/step-000100", "samples/step-000020", "checkpoints/step-1000000"):
        (run.path / folder).mkdir()
    for noise in ("samples/.tmp-step-000030", "samples/step-x", "checkpoints/.del-000050"):
        (run.path / noise).mkdir()
    (run.path / "samples/step-000020/a.png").write_bytes(b"x" * 1000)
    assert [step for step, _ in run.samples()] == [20, 100]
    assert run.checkpoint_steps() == [1000000]
    assert run.size() == 1000 + (run.path / "run.json").stat().st_size


def test_a_run_reads_its_records(run: Run) -> None:
    assert run.read() == run.read(500)
    pen = Log(run.records)
    pen.append(Step(step=1, t=1.0))
    chunk = run.read()
    pen.append(Step(step=2, t=2.0))
    pen.close()
    assert [record.step for record in chunk.records] == [1]
    assert [record.step for record in run.read(chunk.offset).records] == [2]


def test_a_name_is_safe_to_print(store: Store) -> None:
    run = store.create(spec("one", "\x1b]0;owned\x07" + "x" * 100))
    assert run.label.startswith("·]0;owned·xxx")
    assert len(run.label) == 60


def test_a_reader_finds_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_atomic(path, b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_a_store_that_lists_nothing_has_the_runs_that_were_given(tmp_path: Path) -> None:
    made = build(Store(tmp_path / "runs"), "shared")
    store = Store(tmp_path / "runs", [made])
    other = build(Store(tmp_path / "runs"), "other", id="20261122-101531-other")
    assert {run.id for run in store.runs()} == {made.id, other.id}

    def refused(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", refused)
        assert [run.id for run in store.runs()] == [made.id]
        with pytest.raises(RunError, match="shared opens by its path"):
            Store(tmp_path / "runs").runs()
