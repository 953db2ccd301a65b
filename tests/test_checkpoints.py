"""A checkpoint is whole or absent: damage is found, a crash leaves the older ones as they were."""

import json
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import same

from backends import checkpoints
from backends.checkpoints import CheckpointError

DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


def tensor(dtype: torch.dtype, shape: list[int], seed: int) -> torch.Tensor:
    values = torch.randint(-9, 9, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    if values.dim() == 4:
        return values.contiguous(memory_format=torch.channels_last)
    return values.T if values.dim() == 2 else values


tensors = st.builds(
    tensor, st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4), st.integers(0, 99)
)
leaves = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), tensors),
    st.builds(lambda: torch.tensor([float("nan"), float("inf"), -0.0])),
)
keys = st.one_of(st.text(max_size=4), st.integers(), st.sampled_from(["a.b", "a", "b", "$tuple"]))
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=12,
)
states = st.dictionaries(st.sampled_from(["model", "ema", "loop", "optimizers"]), nested)


def small(step: int) -> dict[str, Any]:
    weights = torch.full((4, 3), float(step))
    return {"model": {"w": weights, "b": weights[0].clone()}, "loop": {"step": step, "x": [1.5]}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def three(root: Path) -> Path:
    for step in (10, 20, 30):
        checkpoints.save(root, step, small(step))
    return root


def hidden(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".")]


def check_whole(root: Path, *steps: int) -> None:
    """``root`` holds exactly the checkpoints ``steps``, each as it was saved."""
    assert checkpoints.steps(root) == list(steps)
    for step in steps:
        assert same(checkpoints.load(checkpoints.folder_of(root, step)), small(step))


# --------------------------------------------------------------------------- round trip


@given(states)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_state_comes_back_as_it_went(root: Path, state: dict[str, Any]) -> None:
    written = checkpoints.save(root, 7, state)
    assert written.path == root / "step-000007"
    loaded = checkpoints.load(written.path)
    assert same(loaded, state)
    found = checkpoints.load_newest(root)
    assert found is not None
    assert same(found[1], state)


def test_what_no_checkpoint_can_hold_is_refused_and_leaves_nothing(root: Path) -> None:
    with pytest.raises(TypeError, match=r"cannot hold a object \(best\.one\)"):
        checkpoints.save(root, 7, {"model": {"best": {"one": object()}}})
    assert list(root.iterdir()) == []


def test_a_checkpoint_is_open_files_for_their_owner_alone(root: Path) -> None:
    old = os.umask(0)
    try:
        written = checkpoints.save(root, 1_234_567, small(3))
    finally:
        os.umask(old)
    assert written.path.name == "step-1234567"
    assert {path.name for path in written.path.iterdir()} == {
        "manifest.json",
        "model.safetensors",
        "state.json",
    }
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o700
    for file in written.path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sizes = [f.stat().st_size for f in written.path.iterdir() if f.name != "manifest.json"]
    assert written.bytes == sum(sizes)
    document = json.loads((written.path / "state.json").read_bytes())
    assert document["step"] == 1_234_567


def test_no_checkpoint_is_none(root: Path) -> None:
    assert checkpoints.load_newest(root) is None
    assert checkpoints.load_newest(root / "nowhere") is None


# --------------------------------------------------------------------------- damage

Damage = Callable[[Path], None]


def _truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    os.truncate(file, file.stat().st_size - 1)


def _grow(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")


def _other_weights(folder: Path) -> None:
    shutil.copy(folder.with_name("step-000010") / "model.safetensors", folder)


def _point_outside(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"] = {"../step-000010/state.json": manifest["files"]["state.json"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content) and None


DAMAGE: dict[str, Damage] = {
    "truncated": _truncate,
    "grown": _grow,
    "weights of another": _other_weights,
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no state": lambda folder: (folder / "state.json").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "bad json": _write("state.json", b'{"step": 30, "parts": {"mod'),
    "bad manifest": _write("manifest.json", b"{"),
    "a list": _write("manifest.json", b"[1, 2, 3]"),
    "no files": _write("manifest.json", b'{"format":1,"files":{}}'),
    "odd files": _write("manifest.json", b'{"format":1,"files":{"state.json":7}}'),
    "deep": _write("manifest.json", b'{"format":1,"files":' + b"[" * 50_000),
    "not utf-8": _write("manifest.json", b'{"format":1,"files":"\xff"}'),
    "newer": _write("manifest.json", b'{"format":2,"files":{}}'),
    "elsewhere": _point_outside,
    "empty folder": lambda folder: [file.unlink() for file in folder.iterdir()] and None,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_one_is_passed_over_and_named(three: Path, how: str) -> None:
    DAMAGE[how](three / "step-000030")
    found = checkpoints.load_newest(three)
    assert found is not None
    step, state, complaints = found
    assert step == 20
    assert same(state, small(20))
    assert len(complaints) == 1
    assert "step-000030" in complaints[0]


def test_a_file_in_place_of_a_checkpoint_is_passed_over(three: Path) -> None:
    (three / "step-000040").write_text("hello")
    found = checkpoints.load_newest(three)
    assert found is not None
    assert found[0] == 30
    assert "step-000040" in found[2][0]


def test_every_flipped_bit_is_found(root: Path) -> None:
    checkpoints.save(root, 10, small(10))
    whole = checkpoints.save(root, 20, small(20)).path

    @given(st.data())
    def flip(data: st.DataObject) -> None:
        file = whole / data.draw(st.sampled_from(sorted(path.name for path in whole.iterdir())))
        before = file.read_bytes()
        at, bit = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(0, 7))
        file.write_bytes(before[:at] + bytes([before[at] ^ (1 << bit)]) + before[at + 1 :])
        try:
            step, state, complaints = checkpoints.load_newest(root) or (None, None, [])
            assert same(state, small(20 if step == 20 else 10))
            # A format of 0 for 1 is read as what it says; every other bit is missed.
            assert (step == 20) == (not complaints) == (b'"format":0' in file.read_bytes())
        finally:
            file.write_bytes(before)

    flip()


def test_where_all_are_damaged_none_is_used_and_the_training_does_not_begin_anew(
    three: Path,
) -> None:
    for step in (10, 20, 30):
        (three / f"step-0000{step}" / "state.json").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint can be used") as refused:
        checkpoints.load_newest(three)
    assert all(f"step-0000{step}" in str(refused.value) for step in (10, 20, 30))


# --------------------------------------------------------------------------- crashes while saving


class CutError(OSError):
    """The moment at which the disk or the process gives up."""


def interruptions(
    monkeypatch: pytest.MonkeyPatch, attempt: Callable[[], object], *, for_good: bool
) -> Iterator[int]:
    """Runs ``attempt`` again and again, each time failing at a later call of the system.

    ``for_good``: no call after it works either, as after a kill.
    """
    for last in range(200):
        calls = 0

        def counted(real: Any, last: int = last) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == last + 1 or (for_good and calls > last):
                    raise CutError(5, "Input/output error")
                return real(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for name in STEPS_OF_A_SAVE:
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                attempt()
            except CutError:
                failed = True
            else:
                failed = False
        if not failed:
            assert last > 3
            return
        yield last
    raise AssertionError("it never comes through")


STEPS_OF_A_SAVE = ("fsync", "rename", "mkdir", "open", "replace")


@pytest.mark.parametrize("step", [30, 40], ids=["in place of one", "new"])
def test_a_save_that_fails_at_any_moment_leaves_the_older_ones(
    three: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    state = {**small(step), "loop": {"step": -1}}
    for _ in interruptions(
        monkeypatch, lambda: checkpoints.save(three, step, state), for_good=False
    ):
        check_whole(three, 10, 20, 30)
        assert hidden(three) == []
    assert same(checkpoints.load(checkpoints.folder_of(three, step)), state)


@pytest.mark.parametrize("step", [30, 40], ids=["in place of one", "new"])
def test_a_kill_at_any_moment_of_a_save_leaves_whole_ones(
    three: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Nobody cleans up after a kill; the next attempt finds whole checkpoints and sweeps."""
    state = {**small(step), "loop": {"step": -1}}

    def killed_save() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            checkpoints.save(three, step, state)

    before = shutil.copytree(three, three.with_name("before"))
    for _ in interruptions(monkeypatch, killed_save, for_good=True):
        checkpoints.sweep(three)
        assert hidden(three) == []
        found = checkpoints.load_newest(three)
        assert found is not None
        assert found[0] in (30, step)
        assert found[2] == []
        assert same(found[1], small(30)) or same(found[1], state)
        shutil.rmtree(three)
        shutil.copytree(before, three)


def test_a_barrier_that_fails_leaves_the_older_ones(three: Path) -> None:
    def no_log() -> None:
        assert "step-000040" not in {path.name for path in three.iterdir()}
        raise CutError(28, "No space left on device")

    with pytest.raises(CutError):
        checkpoints.save(three, 40, small(40), barrier=no_log)
    check_whole(three, 10, 20, 30)
    assert hidden(three) == []


def test_a_full_disk_is_an_os_error_that_says_so(three: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoints.save(three, 40, {"model": {"w": torch.zeros(4096)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_whole(three, 10, 20, 30)
    assert hidden(three) == []


# --------------------------------------------------------------------------- keeping and sweeping


@pytest.mark.parametrize(
    ("keep", "left"), [(1, [30]), (2, [20, 30]), (3, [10, 20, 30]), (9, [10, 20, 30]), (0, [30])]
)
def test_the_newest_are_kept(three: Path, keep: int, left: list[int]) -> None:
    checkpoints.prune(three, keep)
    check_whole(three, *left)
    assert hidden(three) == []


def test_what_was_left_half_done_is_swept(three: Path) -> None:
    for name in (".tmp-000040-1", ".del-000005"):
        (three / name).mkdir()
        (three / name / "model.safetensors").write_bytes(b"half")
    (three / "notes").mkdir()
    checkpoints.sweep(three)
    assert sorted(path.name for path in three.iterdir()) == [
        "notes",
        "step-000010",
        "step-000020",
        "step-000030",
    ]


def test_a_thousand_steps_sort_as_numbers(root: Path) -> None:
    for step in (999_999, 1_000_000, 5):
        checkpoints.save(root, step, small(step))
    assert checkpoints.steps(root) == [5, 999_999, 1_000_000]
    found = checkpoints.load_newest(root)
    assert found is not None
    assert found[0] == 1_000_000
