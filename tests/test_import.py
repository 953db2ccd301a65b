"""``genai-tui import``: weights that another program pickled become a safetensors file."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_tools import PROGRAM, inside, outside
from safetensors.torch import load_file
from waiting import until

from backends.diffusion.rectified_flow import RectifiedFlow
from backends.foreign import ForeignError, convert
from backends.knobs import configure
from backends.model import DataShape, Model
from backends.records import Imported, Notice
from backends.vae.conv import ConvVAE
from backends.weights import begin_with
from genai_tui.import_folder import abandoned, hidden_folder
from genai_tui.store import Store

SHAPE = DataShape("image", (1, 16, 16))


def vae(seed: int) -> Model:
    torch.manual_seed(seed)
    return ConvVAE(configure(ConvVAE.Config, {"width": 4}), SHAPE)


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[..., Imported]:
    """Saves a value as PyTorch does and converts it in this process, without limits."""

    def made(value: Any, part: str = "", **how: bool) -> Imported:
        torch.save(value, tmp_path / "foreign.pt", **how)
        with (tmp_path / "foreign.pt").open("rb") as source:
            return convert(source, tmp_path / "own.safetensors", part)

    return made


def test_a_state_dict_is_taken_as_it_is(foreign: Callable[..., Imported], tmp_path: Path) -> None:
    state = vae(1).state_dict()
    for how in (True, False):  # as it is written today, and as it was before 1.6
        found = foreign(state, _use_new_zipfile_serialization=how)
        assert (found.tensors, found.left_out, found.dropped) == (len(state), [], "")
        own = load_file(tmp_path / "own.safetensors")
        assert own.keys() == state.keys()
        assert all(torch.equal(own[name], state[name]) for name in state)
        (tmp_path / "own.safetensors").unlink()


def test_what_holds_everything_and_what_wraps_it_is_left_away(
    foreign: Callable[..., Imported], tmp_path: Path
) -> None:
    wrapped = {f"module.{name}": value for name, value in vae(1).state_dict().items()}
    found = foreign({"state_dict": wrapped, "epoch": 3, "betas": (0.9, 0.99)})
    assert found.dropped == "state_dict.module"
    assert {one.name: one.reason for one in found.left_out} == {
        "epoch": "int",
        "betas.0": "float",
        "betas.1": "float",
    }
    count = len(list(vae(1).parameters()))
    told = begin_with(vae(2), tmp_path / "own.safetensors")
    assert told == f"{count} of {count} weights are taken over"


def test_parts_are_told_and_one_can_be_taken_alone(
    foreign: Callable[..., Imported], tmp_path: Path
) -> None:
    model = vae(1)
    both = {"net": {"ema": model.state_dict(), "raw": model.state_dict()}, "mean": torch.ones(2)}
    count = len(model.state_dict())
    assert foreign(both).parts == {"net": 2 * count}
    assert foreign(both["net"]).parts == {"ema": count, "raw": count}
    assert foreign(both, "net.ema").tensors == count
    with pytest.raises(ForeignError, match="has no part emma; there are: ema, raw"):
        foreign(both, "net.emma")


def test_what_shares_memory_or_is_no_plain_tensor(
    foreign: Callable[..., Imported], tmp_path: Path
) -> None:
    tied = torch.arange(6.0)
    found = foreign(
        {
            "a": tied,
            "b": tied,
            "turned": tied.view(2, 3).t(),
            "sparse": torch.eye(3).to_sparse(),
            "complex": torch.zeros(2, dtype=torch.complex64),
            "nowhere": torch.empty(2, device="meta"),
            "x.y": torch.ones(1),
            "x": {"y": torch.zeros(1)},
        }
    )
    own = load_file(tmp_path / "own.safetensors")
    assert own.keys() == {"a", "b", "turned", "x.y"}
    assert torch.equal(own["turned"], tied.view(2, 3).t())
    assert [(one.name, one.reason) for one in found.left_out] == [
        ("sparse", "sparse"),
        ("complex", "of complex64"),
        ("nowhere", "without values"),
        ("x.y", "a name that is taken"),
    ]


def test_what_is_in_itself_is_taken_once(foreign: Callable[..., Imported]) -> None:
    inner: dict[str, Any] = {"w": torch.ones(2)}
    laughs: dict[str, Any] = inner
    for _ in range(40):  # 2^40 ways lead to the one tensor
        laughs = {"a": laughs, "b": laughs}
    inner["root"] = laughs
    assert foreign(laughs).tensors == 1


def test_imported_weights_begin_a_run(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the file of another program to the first step, as a user would go."""
    source, cli = tmp_path / "their model.ckpt", inside(store, capsys)
    state = vae(1).state_dict()
    torch.save({"state_dict": {**state, "extra": torch.ones(3)}, "epoch": 3}, source)
    told = cli("import", str(source))
    assert told.status == 0, told
    target = tmp_path / "their model.safetensors"
    assert f"{target}: {len(state) + 1} tensors" in told.out
    assert "left out: epoch (int)" in told.out
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        source.name,
        target.name,
    ]
    trained = outside(
        *("train", "vae/conv", "--steps", "1", "--name", "heir", "--from", str(target)),
        *("--set", "width=4", "--set", "lr=0", "--set", "precision=float32", "--set", "threads=1"),
        runs=store.root,
    )
    assert trained.status == 0, trained
    run = store.run("heir")
    assert (run.spec().weights, run.spec().parent) == (target.name, "")
    notices = [record.text for record in run.read(0).records if isinstance(record, Notice)]
    (told_so,) = [text for text in notices if text.startswith(f"begun from {target.name}: ")]
    assert "not used: narrow.weight of shape [64, 256], " in told_so  # their pictures are smaller
    assert told_so.endswith(" and 1 more")
    assert f"begun from  {target.name}" in cli("show", "heir").out


def test_no_is_one_sentence_and_changes_nothing(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli, source = inside(store, capsys), tmp_path / "weights.pt"
    torch.save({"w": torch.ones(2), "run": os.getcwd}, source)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    cli("import", str(source)).refused("asks for posix.getcwd", "may run code", status=1)
    cli("import", str(tmp_path / "none.pt")).refused("does not exist")
    cli("import", str(tmp_path)).refused("is no regular file")
    cli("import", "/dev/zero", "--to", str(tmp_path / "x.safetensors")).refused("no regular file")
    cli("import", str(source), "--to", str(tmp_path / "x.pt")).refused("end in .safetensors")
    nowhere = str(tmp_path / "none" / "x.safetensors")
    cli("import", str(source), "--to", nowhere).refused("cannot be written", status=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    own = tmp_path / "weights.safetensors"
    own.write_bytes(b"mine")
    cli("import", str(source)).refused("is there already", "--to")
    cli("import", str(own), "--to", str(tmp_path / "y.safetensors")).refused("as it is")
    assert own.read_bytes() == b"mine"


def test_what_a_killed_import_left_is_swept_by_the_next_and_one_under_way_is_not(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "weights.pt"
    torch.save({"w": torch.ones(2)}, source)
    killed = subprocess.Popen([*PROGRAM, "import", str(source)])
    left = until(lambda: [*tmp_path.glob(".import-*")])
    killed.kill()
    killed.wait()
    with hidden_folder(tmp_path) as busy:
        for folder in (*left, busy):
            os.utime(folder, (0, 0))
        assert abandoned(tmp_path) == left
        assert inside(store, capsys)("import", str(source)).status == 0
        assert [*tmp_path.glob(".import-*")] == [busy]
    assert not [*tmp_path.glob(".import-*")]


def test_no_folder_but_a_left_one_of_ones_own_is_swept(tmp_path: Path) -> None:
    kept = tmp_path / "mine"
    kept.mkdir()
    (tmp_path / ".import-link").symlink_to(kept)
    (tmp_path / ".import-file").write_bytes(b"mine")
    (tmp_path / ".import-young").mkdir()
    os.utime(kept, (0, 0))
    os.utime(tmp_path / ".import-file", (0, 0))
    before = sorted(tmp_path.iterdir())
    with hidden_folder(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == before


def test_files_that_a_training_cannot_begin_with(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli, pickled = inside(store, capsys), tmp_path / "weights.pt"
    torch.save({}, pickled)
    cli("train", "vae/conv", "--from", str(pickled)).refused("may hold code", "genai-tui import")
    cli("train", "vae/conv", "--from", "none.safetensors").refused("there is none")
    assert not [*store.root.glob("*")]


def test_weights_of_another_model_are_refused_by_the_model(
    foreign: Callable[..., Imported], tmp_path: Path
) -> None:
    foreign(vae(1).state_dict())
    flow = RectifiedFlow(configure(RectifiedFlow.Config, {"width": 8}), SHAPE)
    with pytest.raises(ValueError, match="none of those weights fits this model"):
        begin_with(flow, tmp_path / "own.safetensors")
