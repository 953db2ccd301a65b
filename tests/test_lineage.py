"""A run that begins with another's weights: ``--from``, what fits, what is refused."""

from pathlib import Path

import pytest
import torch
from cli_tools import inside, outside
from safetensors.torch import save_file

from backends import catalogue, checkpoints
from backends.diffusion.rectified_flow import RectifiedFlow
from backends.knobs import ConfigError, configure
from backends.model import DataShape, Model
from backends.records import PlanRequest
from backends.vae.conv import ConvVAE
from backends.weights import begin_with, fitting
from genai_tui.store import Run, Store

QUICK = ("--set", "width=4", "--set", "precision=float32", "--set", "threads=1")
SHAPE = DataShape("image", (1, 16, 16), ("a", "b"))


def vae(seed: int, width: int = 4) -> Model:
    torch.manual_seed(seed)
    return ConvVAE(configure(ConvVAE.Config, {"width": width}), SHAPE)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file({name: value.clone() for name, value in vae(1).state_dict().items()}, path)
    return path


def test_weights_of_the_same_model_are_taken_whole(weights: Path) -> None:
    model, other = vae(2), vae(1)
    sentence = begin_with(model, weights)
    count = len(list(model.parameters()))
    assert sentence == f"{count} of {count} weights are taken over"
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_what_has_another_shape_begins_anew(weights: Path) -> None:
    model, untouched = vae(2, width=8), vae(2, width=8)
    fit = fitting(model, weights)
    assert "begun anew: " in begin_with(model, weights)
    taken = set(fit.names)
    assert taken
    for name, value in model.named_parameters():
        source = vae(1) if name in taken else untouched
        assert torch.equal(value, dict(source.named_parameters())[name])


def test_weights_of_which_none_fits_are_refused(weights: Path, tmp_path: Path) -> None:
    flow = RectifiedFlow(configure(RectifiedFlow.Config, {"width": 8}), SHAPE)
    with pytest.raises(ConfigError, match="none of those weights fits this model"):
        begin_with(flow, weights)
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ConfigError, match="cannot be read"):
        begin_with(flow, tmp_path / "bad.safetensors")


def test_a_plan_says_what_would_be_taken(weights: Path) -> None:
    settings = {"width": "4"}
    asked = PlanRequest(model="vae/conv", settings=settings, device="cpu", weights=str(weights))
    plan = catalogue.plan(asked)
    assert not plan.error
    assert any("weights are taken over" in notice for notice in plan.notices)
    refused = PlanRequest(model="diffusion/rectified_flow", device="cpu", weights=str(weights))
    assert "none of those weights fits" in catalogue.plan(refused).error


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("home") / "runs")


@pytest.fixture(scope="module")
def parent(home: Store) -> Run:
    told = outside("train", "vae/conv", "--steps", "3", "--name", "first", *QUICK, runs=home.root)
    assert told.status == 0, told
    return home.run("first")


def test_a_run_begins_where_another_ended_and_needs_it_no_more(home: Store, parent: Run) -> None:
    told = outside(
        *("train", "vae/conv", "--steps", "1", "--name", "second", "--from", "first@3", *QUICK),
        *("--set", "lr=0"),
        runs=home.root,
    )
    assert told.status == 0, told
    run = home.run("second")
    spec = run.spec()
    assert (spec.parent, spec.parent_step) == (parent.id, 3)
    older = checkpoints.load(parent.path / "checkpoints" / "step-000003")["ema"]
    newer = checkpoints.load(run.path / "checkpoints" / "step-000000")["model"]
    assert all(torch.equal(newer[name], older[name]) for name in older if "running" not in name)
    notices = [r.text for r in run.read(0).records if r.__class__.__name__ == "Notice"]
    assert any(f"begun from {parent.id} at step 3: " in text for text in notices)


def test_what_cannot_be_begun_with_is_refused_and_leaves_nothing(
    home: Store, parent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    cli, before = inside(home, capsys), sorted(home.root.iterdir())
    cli("train", "vae/conv", "--from", "first@7").refused("no checkpoint at step 7", "0, 3")
    cli("train", "vae/conv", "--from", "nobody").refused("no run 'nobody'")
    cli("train", "diffusion/rectified_flow", "--from", "first").refused("none of those weights")
    assert sorted(home.root.iterdir()) == before


def test_a_damaged_checkpoint_is_not_begun_with(
    home: Store, parent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = parent.path / "checkpoints" / "step-000000" / "ema.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused = inside(home, capsys)("train", "vae/conv", "--from", "first@0")
    refused.refused("is damaged: choose another", status=1)
