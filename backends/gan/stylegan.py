"""StyleGAN2: a mapping network turns the latent into a style that steers every layer.

Karras, Laine & Aila 2018, "A Style-Based Generator Architecture for Generative Adversarial
Networks"; Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN" (equations
are of this one) and "Training Generative Adversarial Networks with Limited Data" (conditions, ADA).
G sums what its levels draw, D is residual; minibatch deviation, style mixing, truncation.

Where StyleGAN2 is lazy, with R1 on a whole batch in every 16th turn of D, here ``penalty_share`` of
the batch is regularised in every turn: the expected gradient is the same, and Adam's moments see no
jumps. As D compares pictures of a group, their penalties are not quite independent; it is so in the
original too. The published game is ``non_saturating``, with R1 alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.asking import Usual
from backends.gan._equalised import (
    Discriminator,
    EqualLinear,
    doubled,
    leaky,
    modulated,
    normalised,
)
from backends.gan._game import Game, GameConfig
from backends.gan._penalties import squared_gradients
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Losses, Samples
from backends.nets.blocks import chunks, halvings, image_size, widths
from backends.nets.walk import SPREAD, near
from backends.records import SampleRequest

FOLLOW = 0.005
"""How far w's running average moves to that of a batch."""

PATH_FOLLOW = 0.01
"""The same for the length of paths (appendix B)."""


@dataclass(frozen=True, kw_only=True)
class Config(GameConfig):
    """Knobs of StyleGAN2."""

    style: Annotated[int, "dimensions of the style w", Bounds(2, 1024)] = 64
    mapping: Annotated[int, "layers of the mapping network; 8 as published", Bounds(1, 16)] = 2
    width: Annotated[
        int, "channels at full resolution; doubled with each halving", Bounds(4, 512)
    ] = 16
    widest: Annotated[int, "limit of the channels", Bounds(4, 1024)] = 64
    gamma: Annotated[
        float, "weight of R1 and R2 at the start", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 20.0
    gamma_final: Annotated[
        float, "their weight at the end", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 2.0
    mixing: Annotated[float, "share of pictures with the styles of two latents", Bounds(0, 1)] = 0.9
    penalty_share: Annotated[
        float,
        "share of a batch on which penalties are measured",
        Bounds(0.01, 1),
        Only("loss", "relativistic", "wasserstein"),
    ] = 0.125
    path_length: Annotated[
        float, "weight of the path length regularisation; 2 as published", Bounds(0, 1000)
    ] = 0.0


class StyleGAN(Game):
    """The generator G, a mapping and a synthesis, and the discriminator D."""

    Config = Config
    asks: ClassVar[frozenset[str]] = frozenset(
        {"labels", "truncation", "interpolate", "around", "spread"}
    )
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1200,
        "batch_size": 32,
        "lr": 1e-2,  # the published 2.5e-3 is for a hundred times as many steps
        "beta1": 0.0,
        "clip_grad": 0.0,
    }

    G: "Generator"  # pyright: ignore[reportIncompatibleVariableOverride] : no other is seated
    centre: Tensor
    path_mean: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        G = Generator(config, self.shape)
        self.seat(G, Discriminator(*_plan(config, self.shape), self.shape.num_classes))
        self.register_buffer("centre", torch.zeros(max(1, self.shape.num_classes), config.style))
        self.register_buffer("path_mean", torch.zeros(()))

    @classmethod
    def recipe_for(cls, config: Any) -> Mapping[str, Any]:
        """Equalised layers want the same rates in every game."""
        return cls.recipe

    # ------------------------------------------------------------------ one step

    def generate(self, batch: Batch) -> Tensor:
        return self.G.synthesis(self.styles(batch), self.noises(len(batch.x), batch.generator))

    def styles(self, batch: Batch) -> Tensor:
        """w of each layer [B, layers, style], of two latents in a share of the pictures.

        The second latent takes over from a layer chosen at random on (Karras 2018, section 3.1).
        """
        n, layers = len(batch.x), self.G.synthesis.layers
        w = self.G.mapping(self.latents(n, batch.generator), batch.y)
        if not self.training:
            return w[:, None].expand(-1, layers, -1)
        self.follow(w, batch.y)
        other = self.G.mapping(self.latents(n, batch.generator), batch.y)
        begin = torch.where(
            batch.rand(n) < self.config.mixing, 1 + (batch.rand(n) * (layers - 1)).floor(), layers
        )
        mixed = torch.arange(layers, device=w.device) >= begin[:, None]  # [B, layers]
        return torch.where(mixed[:, :, None], other[:, None], w[:, None])

    @torch.no_grad()
    def follow(self, w: Tensor, y: Tensor | None) -> None:
        """Moves the running average of w, one a class (Sauer 2022), towards that of a batch."""
        if y is None or not self.shape.num_classes:
            y = torch.zeros(len(w), dtype=torch.long, device=w.device)
        whose = F.one_hot(y, len(self.centre))
        share = whose.float() / whose.sum(0).clamp(min=1)  # [B, classes]
        with torch.autocast(w.device.type, enabled=False):
            means = share.t() @ w.float()
        self.centre.lerp_(means, FOLLOW * (share.sum(0) > 0).float()[:, None])

    def noises(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """One plane [count, 1, H, W] a layer."""
        return [
            torch.randn(count, 1, *sides, generator=generator, device=self.device)
            for sides in self.G.synthesis.sides
        ]

    def penalties(
        self, x: Tensor, images: Tensor, batch: Batch
    ) -> Sequence[tuple[float, dict[str, Tensor]]]:
        """R1; R2 too where the game is relativistic. Real and generated groups stay apart."""
        if self.game == "wasserstein":
            return super().penalties(x, images, batch)
        n = math.ceil(self.config.penalty_share * len(x))
        y = None if batch.y is None else batch.y[:n]
        values = {"r1": squared_gradients(self.D, x[:n], y).mean()}
        if self.game == "relativistic":
            values["r2"] = squared_gradients(self.D, images[:n], y).mean()
        return [(self.gamma(batch.progress) / 2, values)]

    def generator_loss(self, batch: Batch) -> Losses:
        terms = super().generator_loss(batch)
        if not self.config.path_length:
            return terms
        lengths = self.path_lengths(batch)
        self.path_mean.lerp_(lengths.detach().mean(), PATH_FOLLOW)
        penalty = (lengths - self.path_mean).square().mean()
        loss = terms["loss"] + self.config.path_length * penalty
        return {"loss": loss, "path_length": lengths.detach().mean()}

    def path_lengths(self, batch: Batch) -> Tensor:
        """|Jᵀ y| (eq. 4) of a share of a batch: how far a step of w moves the picture along y."""
        n = math.ceil(self.config.penalty_share * len(batch.x))
        with torch.autocast(batch.x.device.type, enabled=False):
            z, y = self.latents(n, batch.generator), None if batch.y is None else batch.y[:n]
            w = self.G.mapping(z, y)[:, None].expand(-1, self.G.synthesis.layers, -1)
            images = self.G.synthesis(w, self.noises(n, batch.generator))
            y = batch.randn(*images.shape) / math.sqrt(math.prod(images.shape[2:]))
            (slope,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
        return (slope.square().sum(2).mean(1) + 1e-12).sqrt()

    # ------------------------------------------------------------------ looking at it

    def usual(self) -> Usual:
        return {"truncation": 1.0, "spread": SPREAD}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Latents at random; with ``interpolate`` a walk in w with the same noise, class by class;
        or neighbours of one in z, with its noise.

        ``truncation`` psi draws w towards the average of its class: w̄ + psi (w - w̄) (Karras 2018,
        appendix B); 1 changes nothing and 0 draws the average.
        """
        z, y = self.latents(request.count, generator), self.labels_of(request)
        if request.interpolate:
            y = None if y is None else self._class_after_class(request)
            ends = [end.expand(request.count, -1) for end in (z[:1], self.latents(1, generator))]
            a, b = (self.G.mapping(end, y) for end in ends)
            w = torch.lerp(a, b, self._places(request)[:, None].to(a.dtype))
            noises = self.noises(1, generator)
        else:
            noises = self.noises(request.count, generator)
            w = self.G.mapping(near(z, request, generator), y)
        if request.around is not None:
            noises = [noise[request.around, None] for noise in noises]
        drawn = self._drawn(self.truncated(w.float(), y, request.truncation), noises)
        return Samples(drawn, labels=[] if y is None else y.tolist())

    def truncated(self, w: Tensor, y: Tensor | None, psi: float | None) -> Tensor:
        centre = self.centre if y is None else self.centre[y]
        return w if psi is None else centre + psi * (w - centre)

    def _drawn(self, w: Tensor, noises: list[Tensor]) -> Tensor:
        ws, drawn = w[:, None].expand(-1, self.G.synthesis.layers, -1), []
        for part in chunks(len(w)):
            own = [noise if len(noise) == 1 < len(w) else noise[part] for noise in noises]
            drawn.append(self.G.synthesis(ws[part], own).float().clamp(-1, 1))
        return torch.cat(drawn)


class Generator(nn.Module):
    """The mapping network and the synthesis network."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        self.mapping = Mapper(config, shape.num_classes)
        self.synthesis = Synthesis(config, shape)


class Mapper(nn.Module):
    """z [B, latent] and classes [B] to w [B, style] (Karras 2018, section 2)."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, config.style) if classes else None
        units = [config.latent + (config.style if classes else 0)] + [config.style] * config.mapping
        self.net = nn.ModuleList([EqualLinear(*pair, lr=0.01) for pair in pairwise(units)])

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        h = normalised(z)
        if self.embed is not None:
            h = torch.cat([h, normalised(self.embed(y))], dim=1)
        for layer in self.net:
            h = leaky(layer(h))
        return h


class Synthesis(nn.Module):
    """Styles [B, layers, style] and noises to images [B, C, H, W]; each level adds to the sum."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, inner, c = _plan(config, shape)
        c = c[::-1]
        self.basis = nn.Parameter(torch.randn(c[0], *inner))
        convs, pictures = [Styled(c[0], c[0], config.style)], [ToPicture(c[0], channels, config)]
        self.sides = [inner]
        for level, (before, after) in enumerate(pairwise(c), 1):
            convs += [Styled(before, after, config.style, enlarge=True)]
            convs += [Styled(after, after, config.style)]
            pictures.append(ToPicture(after, channels, config))
            self.sides += [(inner[0] << level, inner[1] << level)] * 2
        self.convs, self.pictures = nn.ModuleList(convs), nn.ModuleList(pictures)
        self.layers = len(convs) + 1

    def forward(self, ws: Tensor, noises: Sequence[Tensor]) -> Tensor:
        x = self.basis.expand(len(ws), -1, -1, -1)
        x = self.convs[0](x, ws[:, 0], noises[0])
        picture = self.pictures[0](x, ws[:, 1])
        for level, to_picture in enumerate(self.pictures[1:]):
            i = 1 + 2 * level
            x = self.convs[i](x, ws[:, i], noises[i])
            x = self.convs[i + 1](x, ws[:, i + 1], noises[i + 1])
            picture = doubled(picture) + to_picture(x, ws[:, i + 2])
        return picture


class Styled(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU (figure 2d); ``enlarge`` doubles sides."""

    def __init__(self, before: int, after: int, style: int, *, enlarge: bool = False) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.affine = EqualLinear(style, before, bias=1.0)
        self.weight = nn.Parameter(torch.randn(after, before, 3, 3))
        self.bias = nn.Parameter(torch.zeros(after))
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        h = modulated(x, self.weight, self.affine(w))
        h = doubled(h) if self.enlarge else h
        return leaky(h + (self.strength * noise + self.bias[:, None, None]).to(h.dtype))


class ToPicture(nn.Module):
    """Modulated 1x1 convolution to the channels of a picture, without demodulation."""

    def __init__(self, before: int, channels: int, config: Config) -> None:
        super().__init__()
        self.affine = EqualLinear(config.style, before, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, before, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.gain = 1 / math.sqrt(before)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        h = modulated(x, self.weight, self.affine(w) * self.gain, demodulate=False)
        return h.float() + self.bias[:, None, None]


def _plan(config: Config, shape: DataShape) -> tuple[int, tuple[int, int], list[int]]:
    """Channels of the pictures, smallest sides, channels from the largest sides to the smallest."""
    channels, height, width = image_size(shape)
    depth = halvings(height, width)
    c = widths(config.width, depth + 1, config.widest)
    return channels, (height >> depth, width >> depth), c
