"""WaveNet: dilated causal convolutions draw a sound sample by sample, of the class that is wanted.

van den Oord 2016, "WaveNet: A Generative Model for Raw Audio": the waveform as 8-bit µ-law codes
(section 2.2), gated layers with skips (2.3, 2.4), and conditions that are added to the gates (2.5):
the class, and a clock that tells how long the clip has lasted. Sampling keeps what the layers need
of the past in queues (Paine 2016, "Fast Wavenet Generation Algorithm"), so that every sample costs
the same.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.asking import Usual
from backends.knob import LABELS
from backends.knobs import Bounds, ConfigError, Only
from backends.model import Batch, DataShape, Losses, Model, RequestError, Samples
from backends.nets import mulaw
from backends.nets.blocks import chunks
from backends.nets.drawing import draw
from backends.nets.wavenet import BLOCK, WaveNet
from backends.records import Modality, SampleRequest
from backends.watching import telling

LONGEST = 2**18


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. Rate and length of the clips are knobs of the data."""

    width: Annotated[int, "channels of the residual stream", Bounds(4, 1024)] = 32
    layers: Annotated[int, "layers of a stack; the dilation doubles with each", Bounds(1, 14)] = 10
    stacks: Annotated[int, "how often the dilations begin anew", Bounds(1, 8)] = 1
    clock: Annotated[bool, "tell the net how long the clip has lasted; for sounds that begin"] = (
        True
    )
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True


class Audio(Model):
    """p(x) = Π p(x_t | x_<t, class), each factor a softmax over the 256 codes (eq. 1)."""

    Config = Config
    modality: ClassVar[Modality] = "audio"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"labels", "length", "temperature", "top_k", "top_p"}
    )
    default_dataset: ClassVar[str] = "oneshots-mini"
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 700,
        "batch_size": 4,
        "lr": 3e-3,
        "optimizer": "muon",
        "beta2": 0.98,
        "schedule": "linear",
        "lr_final": 0.02,
        "ema_half_life": 30.0,
        "validate_every": 100,
        "sample_every": 350,
        "sample_count": 36,
        "checkpoint_every": 350,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        if shape.modality != "audio":
            raise ConfigError(f"this model learns from sounds, not from {shape.modality} data")
        self.length = shape.size[1]
        self.net = WaveNet(
            mulaw.LEVELS,
            width=config.width,
            layers=config.layers,
            stacks=config.stacks,
            classes=self.shape.num_classes,
            clock=self.length if config.clock else 0,
        )

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a sample, in bits, and in bits where the clip is not yet over."""
        codes = mulaw.encode(batch.x[:, 0])  # [B, L]
        before = F.pad(codes[:, :-1], (1, 0), value=mulaw.SILENCE)
        y = batch.y if self.shape.num_classes else None
        each = F.cross_entropy(self.net(before, y).mT, codes, reduction="none")  # [B, L]
        loss, sounding = each.mean(), _sounding(codes)
        heard = (each.detach() * sounding).sum() / sounding.sum().clamp(min=1)
        return {
            "loss": loss,
            "bits_per_sample": loss.detach() / math.log(2),
            "bits_while_sounding": heard / math.log(2),
        }

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError for what this model cannot do, or for a number out of its range."""
        super().check(request)
        if request.length is not None and not 1 <= request.length <= LONGEST:
            sentence = f"length must be at least 1 and at most {LONGEST} samples"
            raise RequestError(f"{sentence}, not {request.length}")

    def usual(self) -> Usual:
        return {"temperature": 1.0, "length": self.length}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """``count`` sounds of ``length`` samples, as long as the clips unless asked otherwise.

        The ``temperature`` (1) may be 0: then the likeliest code is always taken. ``top_k`` and
        ``top_p`` leave the likeliest codes alone.
        """
        y = self.labels_of(request)
        choose = partial(
            draw,
            temperature=1.0 if request.temperature is None else request.temperature,
            top_k=request.top_k,
            top_p=request.top_p,
            generator=generator,
        )
        length = request.length or self.length
        # Sample by sample, casting the weights to a shorter type costs more than it saves.
        with torch.autocast(self.device.type, enabled=False):
            codes = [
                self._draw(
                    part.stop - part.start,
                    None if y is None else y[part],
                    length,
                    telling(choose, first=part.start, count=request.count, tokens=length),
                )
                for part in chunks(request.count)
            ]
        labels = [] if y is None else y.tolist()
        return Samples(audio=mulaw.decode(torch.cat(codes)), rate=self.shape.rate, labels=labels)

    def _draw(
        self, count: int, y: Tensor | None, length: int, choose: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Codes [count, length], each drawn after all that came before."""
        memory = self.net.memory(count)
        code = torch.full((count,), mulaw.SILENCE, device=self.device)
        codes: list[Tensor] = []
        for _ in range(length):
            code = choose(self.net.step(code, y, memory))
            codes.append(code)
        return torch.stack(codes, 1)


def _sounding(codes: Tensor) -> Tensor:
    """1 for every sample of ``codes`` [B, L] in a block that is not silent throughout, else 0."""
    blocks = F.pad(codes, (0, -codes.shape[1] % BLOCK), value=mulaw.SILENCE)
    loud = (blocks.unflatten(1, (-1, BLOCK)) != mulaw.SILENCE).any(-1, keepdim=True)
    return loud.expand(-1, -1, BLOCK).flatten(1)[:, : codes.shape[1]].float()
