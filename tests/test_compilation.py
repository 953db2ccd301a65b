"""torch.compile is tried before the first step, and given up with a sentence where it fails."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny, points, run, same, tiny

from backends import checkpoints
from backends.model import Batch, Losses
from backends.records import Notice


class Penalised(Tiny):
    """Its loss has a gradient of a gradient, which compiled code does not have."""

    def loss(self, batch: Batch) -> Losses:
        x = batch.x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.net(x).sum(), x, create_graph=True)
        return {"loss": slope.square().mean()}

    def validation(self, batch: Batch) -> Losses:
        return super().loss(batch)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Any:
    """All of the compiler but its slow end, which makes machine code."""
    eager = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", eager)
    yield
    torch.compiler.reset()


def test_a_compiled_training_is_the_same_training(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", precision="float32")
    compiled = run(tmp_path / "compiled", precision="float32", compile=True)
    assert not [record for record in compiled if isinstance(record, Notice)]
    expected, found = points(plain), points(compiled)
    assert found.keys() == expected.keys()
    for step, values in expected.items():
        assert found[step] == pytest.approx(values, rel=1e-4)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of the compiler's own
def test_what_cannot_be_compiled_is_trained_without_and_said(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", tiny(Penalised))
    compiled = run(tmp_path / "compiled", tiny(Penalised), compile=True)
    (notice,) = [record for record in compiled if isinstance(record, Notice)]
    assert "double backward" in notice.text
    assert "\n" not in notice.text
    assert points(compiled) == points(plain)
    saved = [checkpoints.load_newest(tmp_path / n / "checkpoints") for n in ("plain", "compiled")]
    one, two = (found[1]["model"] for found in saved if found)
    assert same(one, two)


def test_a_machine_without_a_compiler_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> object:
        def loss(_: object) -> object:
            raise RuntimeError("No working C++ compiler found\nwith much more to say")

        return loss

    monkeypatch.setattr(torch, "compile", broken)
    compiled = run(tmp_path, compile=True)
    (notice,) = [record for record in compiled if isinstance(record, Notice)]
    assert notice.text.endswith("(RuntimeError: No working C++ compiler found)")
