"""DCGAN beside PyTorch-GAN: the networks and the loop of its dcgan.py."""

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.model import Batch, DataShape, Losses, Model, Phase, Samples
from backends.records import Modality, SampleRequest
from benchmarks.speed.loop import Loop, config_of, noise
from benchmarks.speed.peers import Peers, Script
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.turns import compare

BATCH, SIDE = 64, 32
ADAM = {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "optimizer": "adam", "clip_grad": 0.0}
"""The defaults of its command line."""
OUTSIDE = frozenset({"torchvision", "makedirs", "dataloader"})
"""What its script needs besides PyTorch: pictures from the net, and a place to save others."""


class Peer:
    """Its script: networks, losses and optimizers as it defines them, and its loop on batches in
    memory, without its print-outs and pictures."""

    def __init__(self, peers: Peers) -> None:
        script = peers.script("PyTorch-GAN", "implementations", "dcgan", "dcgan.py")
        silent: dict[str, Any] = {"print": _nothing, "save_image": _nothing}
        with _arguments("--n_epochs", "1", "--batch_size", str(BATCH), "--img_size", str(SIDE)):
            self._names = script.define({"__name__": "dcgan", **silent}, OUTSIDE)
        self._script: Script = script
        self.G, self.D = self._names["generator"], self._names["discriminator"]

    def step(self) -> None:
        """One batch through its loop."""
        images = torch.rand(BATCH, 1, SIDE, SIDE) * 2 - 1
        self._names["dataloader"] = [(images, None)]
        self._script.loop(self._names)


def _nothing(*_: object, **__: object) -> None: ...


@contextlib.contextmanager
def _arguments(*arguments: str) -> Any:
    before, sys.argv = sys.argv, ["dcgan.py", *arguments]
    try:
        yield
    finally:
        sys.argv = before


@dataclass(frozen=True, kw_only=True)
class Config:
    """No knobs."""


class Wrapped(Model):
    """Two networks of the peer as a model of ours, playing the peer's game in its order."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    recipe: ClassVar[Mapping[str, Any]] = ADAM

    def __init__(self, generator: torch.nn.Module, discriminator: torch.nn.Module) -> None:
        super().__init__(Config(), DataShape("image", (1, SIDE, SIDE)))
        self.G, self.D = generator, discriminator

    def phases(self) -> Sequence[Phase]:
        return [Phase("G", self.G, self._generator), Phase("D", self.D, self._discriminator)]

    def _generator(self, batch: Batch) -> Losses:
        images = self.G(batch.randn(len(batch.x), 100))
        self._drawn = images.detach()
        return {"loss": _cross_entropy(self._judged(images), 1.0)}

    def _discriminator(self, batch: Batch) -> Losses:
        real, fake = self._judged(batch.x), self._judged(self._drawn)
        return {"loss": (_cross_entropy(real, 1.0) + _cross_entropy(fake, 0.0)) / 2}

    def _judged(self, images: Tensor) -> Tensor:
        """Its discriminator's forward, for any memory format of the pictures."""
        model, adv_layer = self.D.get_submodule("model"), self.D.get_submodule("adv_layer")
        return adv_layer(model(images).flatten(1))

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        return Samples(self.G(torch.randn(request.count, 100, generator=generator)))


def _cross_entropy(probability: Tensor, target: float) -> Tensor:
    """Of what its discriminator answers; it ends in a sigmoid."""
    with torch.autocast("cpu", enabled=False):
        wanted = torch.full_like(probability, target, dtype=torch.float32)
        return F.binary_cross_entropy(probability.float(), wanted)


def _same_networks(folder: Path, peers: Peers) -> Outcome:
    theirs, own = Peer(peers), Peer(peers)
    model = Wrapped(own.G, own.D)
    config = config_of(model, batch_size=BATCH, ema_half_life=0.0)
    ours = Loop(model, noise(SIDE), folder, config)
    ours.settle(3)
    return Outcome(compare(ours, theirs.step), "its networks in our loop, and in its own")


ROWS = (
    Row(
        "dcgan",
        "DCGAN step, same networks, 64 x 32 x 32",
        "PyTorch-GAN",
        2.5,
        _same_networks,
    ),
)
