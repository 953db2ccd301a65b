"""Averages of weights and distances of features beside ema-pytorch, scipy and prdc."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from backends.metrics.frechet import frechet_distance, gaussian
from backends.metrics.manifold import manifold
from backends.model import DataShape, Model, Samples
from backends.recipe import TrainConfig
from backends.records import Modality, SampleRequest
from backends.state import TrainState
from benchmarks.speed.peers import Peers
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.turns import compare

HALF_LIFE = 200.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """No knobs."""


class Weights(Model):
    """400 tensors with 1.85 M numbers, as a U-Net of middle size has."""

    Config = Config
    modality: ClassVar[Modality] = "image"

    def __init__(self) -> None:
        super().__init__(Config(), DataShape("image", (1, 16, 16)))
        sizes = [(64, 128) if i % 2 else (1058,) for i in range(400)]
        self.all = nn.ParameterList(nn.Parameter(torch.randn(size)) for size in sizes)

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        raise NotImplementedError("there is nothing to draw")


def _average(folder: Path, peers: Peers) -> Outcome:
    package = peers.package("ema_pytorch")
    model = Weights()
    state = TrainState(model, TrainConfig(ema_half_life=HALF_LIFE))
    theirs = package.EMA(model, beta=0.9999, update_after_step=0, update_every=1)
    steps = iter(range(1, 10**9))
    found = compare(lambda: state.finish_step(next(steps), {}, HALF_LIFE), theirs.update, repeat=50)
    return Outcome(found)


def _distance(folder: Path, peers: Peers) -> Outcome:
    linalg = peers.package("scipy.linalg")
    one, two = (gaussian(_features(seed, 2000, 512)) for seed in (0, 1))

    def theirs() -> float:
        root: Any = linalg.sqrtm(one.cov.numpy() @ two.cov.numpy())
        apart = (one.mean - two.mean).square().sum().item()
        return apart + float(np.trace(one.cov.numpy() + two.cov.numpy() - 2 * np.real(root)))

    _agree(frechet_distance(one, two), theirs(), 1e-6)
    return Outcome(compare(lambda: frechet_distance(one, two), theirs), "equal values")


def _manifolds(folder: Path, peers: Peers) -> Outcome:
    package = peers.package("prdc")
    real, samples = (_features(seed, 4000, 64) for seed in (0, 1))

    def theirs() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            return package.compute_prdc(real.numpy(), samples.numpy(), nearest_k=5)

    ours = manifold(real, samples, 5)
    for name, value in theirs().items():
        _agree(getattr(ours, name), value, 1e-12)
    return Outcome(compare(lambda: manifold(real, samples, 5), theirs, warm_up=1), "equal values")


def _features(seed: int, count: int, width: int) -> torch.Tensor:
    """Correlated features, those of another seed from a distribution a little beside."""
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(7)) / width**0.5
    return torch.randn(count, width, generator=source) @ mixing + 0.1 * seed


def _agree(ours: float, theirs: float, tolerance: float) -> None:
    if abs(ours - theirs) > tolerance * max(1.0, abs(theirs)):
        raise ArithmeticError(f"ours is {ours}, theirs {theirs}")


ROWS = (
    Row("ema", "average of 400 tensors, 1.85 M numbers", "ema-pytorch", 6, _average),
    Row("frechet", "Fréchet distance at 512 features", "scipy sqrtm", 3.5, _distance),
    Row("prdc", "precision, recall, density, coverage, 4,000 x 64", "prdc", 2.6, _manifolds),
)
