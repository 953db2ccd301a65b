"""Pixels: a gated PixelCNN draws pictures pixel by pixel, and tells their likelihood exactly.

van den Oord 2016a, "Pixel Recurrent Neural Networks", and 2016b, "Conditional Image Generation with
PixelCNN Decoders":

    p(x) = Π_i Π_c p(x_ic | x_<i, x_i,<c),

each factor a softmax over ``levels`` of intensity, pixels in reading order, channels within one.
Fewer levels than 256 are learned faster; ``bits_per_dim`` counts what they leave open as evenly
spread, and so compares with models of all 256.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.asking import Usual
from backends.knob import LABELS
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Losses, Model, Samples
from backends.nets.drawing import draw
from backends.nets.pixelcnn import PixelCNN
from backends.records import Modality, SampleRequest
from backends.watching import observer

LABEL = 32


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the PixelCNN."""

    width: Annotated[int, "channels of each stack", Bounds(8, 512)] = 32
    layers: Annotated[int, "gated layers; a pixel sees two rows more", Bounds(1, 30)] = 6
    levels: Annotated[Literal["2", "4", "8", "16", "32", "64", "256"], "levels of intensity"] = "8"
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True


class Pixel(Model):
    """The network and its raster scan."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature", "top_p"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 500,
        "batch_size": 32,
        "lr": 3e-3,
        "sample_count": 20,
        "sample_every": 250,
        "validate_batches": 4,
    }
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        channels, self.levels = shape.size[0], int(config.levels)
        classes = self.shape.num_classes
        self.embed = nn.Embedding(classes, LABEL) if classes else None
        self.net = PixelCNN(
            channels,
            width=config.width,
            layers=config.layers,
            condition=LABEL if classes else 0,
        )
        self.place = nn.Parameter(torch.zeros(config.width, *shape.size[1:]))
        self.hidden = nn.Linear(config.width, 2 * config.width)
        self.before = nn.Linear(channels, 2 * config.width, bias=False)
        self.head = nn.Linear(2 * config.width, channels * self.levels)
        nn.init.zeros_(self.head.weight)

    # ------------------------------------------------------------------ levels

    def quantised(self, x: Tensor) -> Tensor:
        """Levels 0 to ``levels`` - 1 of ``x`` in [-1, 1]."""
        pixels = ((x.float() + 1) * 127.5).round().clamp(0, 255)
        return (pixels * self.levels / 256).floor().long()

    def shown(self, q: Tensor) -> Tensor:
        """Levels as intensities in [-1, 1], the darkest -1 and the brightest 1."""
        return q.float() * (2 / (self.levels - 1)) - 1

    # ------------------------------------------------------------------ likelihood

    def features(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Features [B, H, W, width] of the pixels before each, from intensities ``x``."""
        return self.net(x, self.condition(y), self.place).permute(0, 2, 3, 1)

    def condition(self, y: Tensor | None) -> Tensor | None:
        """What classes [B] tell the gates, [B, LABEL]."""
        return self.embed(y) if self.embed is not None and y is not None else None

    def logits(self, h: Tensor, x: Tensor) -> Tensor:
        """Logits [..., C, levels] of a pixel, from features [..., width] and the intensities
        [..., C] of the pixel itself, of which channel c sees those before it."""
        channels = x.shape[-1]
        first = self.hidden(h)
        seen = [
            self.before(x * (torch.arange(channels, device=x.device) < c)) for c in range(channels)
        ]
        head = self.head.weight.unflatten(0, (channels, self.levels))
        bias = self.head.bias.unflatten(0, (channels, self.levels))
        parts = [F.linear(F.silu(first + part), head[c], bias[c]) for c, part in enumerate(seen)]
        return torch.stack(parts, dim=-2).float()

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a dimension, and bits a dimension of 256 levels."""
        q = self.quantised(batch.x)
        x = self.shown(q)
        y = batch.y if self.embed is not None else None
        logits = self.logits(self.features(x, y), x.permute(0, 2, 3, 1))
        nats = F.cross_entropy(logits.flatten(0, 3), q.permute(0, 2, 3, 1).flatten())
        bits = nats.detach() / math.log(2) + math.log2(256 / self.levels)
        return {"loss": nats, "bits_per_dim": bits}

    # ------------------------------------------------------------------ drawing

    def usual(self) -> Usual:
        return {"temperature": 1.0}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Pictures, drawn in reading order: the vertical stack looks once a row at the rows that
        count, the horizontal one at the pixels to the left."""
        y = self.labels_of(request)
        channels, height, width = self.shape.size
        x = torch.full((request.count, channels, height, width), -1.0, device=self.device)
        temperature = 1.0 if request.temperature is None else request.temperature
        choose = partial(
            draw, temperature=temperature, top_k=None, top_p=request.top_p, generator=generator
        )
        with torch.autocast(self.device.type, enabled=False):
            condition, reach = self.condition(y), self.net.reach
            for row in range(height):
                rows = slice(max(0, row - reach), row + 1)
                told = self.net.from_above(x[:, :, rows], condition, self.place[:, rows])
                told = [one[:, :, -1:] for one in told]
                for column in range(width):
                    seen = slice(max(0, column - reach), column + 1)
                    h = self.net.in_row(x[:, :, row : row + 1, seen], [t[..., seen] for t in told])
                    x[:, :, row, column] = self._pixel(h[:, :, 0, -1], choose)
                observer().pictured(0, x)
                observer().advanced((row + 1) / height)
        return Samples(x, labels=[] if y is None else y.tolist())

    def _pixel(self, h: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Intensities [B, C] drawn from features [B, width], channel by channel."""
        pixel = torch.zeros(len(h), self.shape.size[0], device=h.device)
        for channel in range(pixel.shape[1]):
            pixel[:, channel] = self.shown(choose(self.logits(h, pixel)[:, channel]))
        return pixel
