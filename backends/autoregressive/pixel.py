"""Pixels: a gated PixelCNN draws pictures pixel by pixel, and tells their likelihood exactly.

van den Oord 2016a, "Pixel Recurrent Neural Networks", and 2016b, "Conditional Image Generation with
PixelCNN Decoders":

    p(x) = Π_i Π_c p(x_ic | x_<i, x_i,<c),

each factor a softmax over ``levels`` of intensity, pixels in reading order, channels within one.
Fewer levels than 256 are learned faster; ``bits_per_dim`` counts what they leave open as evenly
spread, and so compares with models of all 256.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.knobs import Bounds
from backends.model import Batch, DataShape, Losses, Model, Samples
from backends.nets.drawing import draw
from backends.nets.pixelcnn import PixelCNN
from backends.records import Modality, SampleRequest

LABEL = 32


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the PixelCNN."""

    width: Annotated[int, "channels of each stack", Bounds(8, 512)] = 32
    layers: Annotated[int, "gated layers; a pixel sees two rows more", Bounds(1, 30)] = 6
    levels: Annotated[Literal["2", "4", "8", "16", "32", "64", "256"], "levels of intensity"] = "8"
    conditional: Annotated[bool, "condition on the class where the data has labels"] = True


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

    def features(self, x: Tensor, y: Tensor | None, top: int = 0, left: int = 0) -> Tensor:
        """Features [B, H, W, width] of the pixels before each, from intensities ``x``, which may be
        a window that begins at (``top``, ``left``)."""
        told = self.embed(y) if self.embed is not None and y is not None else None
        place = self.place[:, top : top + x.shape[2], left : left + x.shape[3]]
        return self.net(x, told, place).permute(0, 2, 3, 1)

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

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Pictures, drawn in reading order; only what a pixel sees is computed for it."""
        y = self.labels_of(request)
        channels, height, width = self.shape.size
        x = torch.full((request.count, channels, height, width), -1.0, device=self.device)
        temperature = 1.0 if request.temperature is None else request.temperature
        with torch.autocast(self.device.type, enabled=False):
            for row in range(height):
                for column in range(width):
                    self._draw(x, y, row, column, temperature, request.top_p, generator)
        return Samples(x, labels=[] if y is None else y.tolist())

    def _draw(
        self,
        x: Tensor,
        y: Tensor | None,
        row: int,
        column: int,
        temperature: float,
        top_p: float | None,
        generator: torch.Generator,
    ) -> None:
        """Puts one pixel into ``x``."""
        reach = self.net.reach
        top, left = max(0, row - reach), max(0, column - reach)
        window = x[:, :, top : row + 1, left : column + reach + 1]
        h = self.features(window, y, top, left)[:, row - top, column - left]  # [B, width]
        pixel = torch.zeros(len(x), x.shape[1], device=x.device)
        for channel in range(x.shape[1]):
            logits = self.logits(h, pixel)[:, channel]
            q = draw(logits, temperature, None, top_p, generator)
            pixel[:, channel] = self.shown(q)
        x[:, :, row, column] = pixel
