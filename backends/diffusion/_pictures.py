"""What all diffusion models of pictures share: conditions, drawing, editing, enlarging."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from backends.asking import Usual
from backends.diffusion._editing import (
    blurred,
    fit,
    keeping,
    noised,
    resized,
    share_of_noise,
)
from backends.diffusion._guidance import guided, hide_labels
from backends.diffusion._solvers import Field, Hook, unchanged
from backends.diffusion._trajectory import Trajectory
from backends.knob import LABELS
from backends.knobs import Bounds, ConfigError, Only
from backends.model import INPUTS, Batch, DataShape, Model, RequestError, Samples
from backends.nets.blocks import chunks, image_size
from backends.nets.unet import UNet
from backends.records import Modality, SampleRequest

RECIPE = {"steps": 400, "lr": 2e-3, "optimizer": "muon", "ema_half_life": 100.0}
"""For the U-Net on a CPU. On 4,000 digits without labels, in 180 CPU-seconds each, 997 steps of
Muon came to a Fréchet distance of 1.80 in a classifier's features and 1,443 of AdamW to 2.13."""


@dataclass(frozen=True, kw_only=True)
class UNetKnobs:
    """Knobs of a model whose network is the U-Net."""

    width: Annotated[
        int, "channels at full resolution; doubled with each level", Bounds(8, 512)
    ] = 32
    levels: Annotated[int, "resolutions of the U-Net", Bounds(1, 6)] = 3
    blocks: Annotated[int, "residual blocks a level, each way", Bounds(1, 8)] = 1
    attention: Annotated[bool, "self-attention at the coarsest resolution"] = True
    dropout: Annotated[float, "dropout inside of the residual blocks", Bounds(0, 0.9)] = 0.0


@dataclass(frozen=True, kw_only=True)
class GuidanceKnobs:
    """Knobs of drawing with a condition."""

    sampler_steps: Annotated[int, "steps of the sampler", Bounds(1, 1000)] = 16
    guidance: Annotated[
        float,
        "classifier-free guidance of samples; 1 is none",
        Bounds(0, 20),
        Only("conditional", True),
    ] = 1.25
    guidance_from: Annotated[
        float,
        "share of noise from which guidance applies, 1 is the beginning",
        Bounds(0, 1),
        Only("conditional", True),
    ] = 1.0
    guidance_to: Annotated[
        float,
        "share of noise down to which guidance applies, 0 is the end",
        Bounds(0, 1),
        Only("conditional", True),
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class PictureKnobs(GuidanceKnobs):
    """Knobs of every diffusion model of pictures with classes."""

    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True
    label_dropout: Annotated[
        float, "share of labels hidden in training", Bounds(0, 1), Only("conditional", True)
    ] = 0.1
    upscale: Annotated[
        int, "super-resolution: how many times the picture that is given is enlarged; 1 is none",
        Bounds(1, 8),
    ] = 1  # fmt: skip


class Pictures(Model):
    """A model that draws pictures by taking noise away.

    A subclass sets ``net`` and defines its path, its field and how it is solved. Strength and the
    range of guidance are shares of noise, sigma / (alpha + sigma), and so mean the same for all.
    """

    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"labels", "steps", "guidance", "image", "mask", "strength"}
    )
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        if "labels" in self.asks and not self.shape.num_classes:
            self._cannot_be_asked_for("guidance")
        factor, (_, height, width) = config.upscale, shape.size
        if factor == 1:
            return
        if height % factor or width % factor:
            raise ConfigError(f"upscale {factor} does not divide the sides {height} x {width}")
        self._cannot_be_asked_for("mask", "strength")
        self.register_buffer("held", torch.zeros(INPUTS, *shape.size))
        self.register_buffer("held_labels", torch.zeros(INPUTS, dtype=torch.long))

    def _cannot_be_asked_for(self, *names: str) -> None:
        self.asks = self.asks - set(names)  # pyright: ignore[reportAttributeAccessIssue]

    held: Tensor
    held_labels: Tensor

    # ------------------------------------------------------------------ what a subclass defines

    @abstractmethod
    def path(self, t: float) -> tuple[float, float]:
        """(alpha, sigma) of x_t = alpha x + sigma noise."""

    @abstractmethod
    def times(self, steps: int, share: float) -> Sequence[float]:
        """Times of ``steps`` steps, from the one with at most that ``share`` of noise to data."""

    @abstractmethod
    def field(self, x: Tensor, t: float, y: Tensor | None, low: Tensor | None) -> Tensor:
        """What :meth:`solve` asks for: a velocity, or a denoised picture; always float32."""

    @abstractmethod
    def solve(
        self,
        field: Field,
        x: Tensor,
        times: Sequence[float],
        generator: torch.Generator,
        after: Hook,
    ) -> Tensor:
        """``x`` at times[0] carried to data."""

    # ------------------------------------------------------------------ conditions

    def conditions(
        self, batch: Batch, x: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Labels, some of them hidden in training, and the pictures to enlarge: of a batch, or of
        ``x`` where it was augmented."""
        share = self.config.label_dropout if self.training else 0.0
        y = hide_labels(batch, share, self.shape.num_classes)
        return y, self.lowered(batch.x if x is None else x)

    def lowered(self, x: Tensor) -> Tensor | None:
        """What is left of ``x`` for a model that enlarges; else None."""
        return blurred(x, self.config.upscale) if self.config.upscale > 1 else None

    def observe(self, held: Batch) -> None:
        """Keeps held-out pictures to enlarge: as many as there are, over and over."""
        if self.config.upscale == 1:
            return
        turns = torch.arange(INPUTS, device=held.x.device) % len(held.x)
        self.held.copy_(blurred(held.x, self.config.upscale)[turns])
        if held.y is not None and self.shape.num_classes:
            self.held_labels.copy_(held.y[turns])

    def meant(self, x: Tensor, t: float, answer: Tensor) -> Tensor:
        """The picture that an ``answer`` of the field takes x_t to come from."""
        return answer

    # ------------------------------------------------------------------ drawing

    def usual(self) -> Usual:
        config = self.config
        steps, guidance = config.sampler_steps, config.guidance
        found = {"steps": steps, "guidance": guidance, "strength": DEFAULT_STRENGTH}
        return {name: value for name, value in found.items() if name in self.asks}

    def condition_of(self, request: SampleRequest) -> Tensor | None:
        """What to draw, [count, ...]: class indices here; zero must mean "anything" elsewhere."""
        return self.labels_of(request)

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        if self.config.upscale == 1:
            return self._draw(request, generator, self.condition_of(request))
        turns = torch.arange(request.count, device=self.device) % INPUTS
        y = self.labels_of(request)
        if y is not None and not request.labels:
            y = self.held_labels[turns]
        return self._draw(request, generator, y, low=self.held[turns])

    def edit(
        self,
        request: SampleRequest,
        generator: torch.Generator,
        image: Tensor,
        mask: Tensor | None,
    ) -> Samples:
        """Another picture like ``image``; or ``image`` filled in, or enlarged."""
        _, height, width = self.shape.size
        y, factor = self.condition_of(request), self.config.upscale
        if factor > 1:
            small = fit(image, height // factor, width // factor)
            low = resized(small, height, width).expand(request.count, -1, -1, -1)
            return self._draw(request, generator, y, low=low)
        image = fit(image, height, width)
        mask = None if mask is None else fit(mask, height, width)
        return self._draw(request, generator, y, image=image, mask=mask)

    def _draw(
        self,
        request: SampleRequest,
        generator: torch.Generator,
        y: Tensor | None,
        *,
        image: Tensor | None = None,
        mask: Tensor | None = None,
        low: Tensor | None = None,
    ) -> Samples:
        size = (request.count, *self.shape.size)
        noise = torch.randn(*size, generator=generator, device=self.device)
        times = self._times(request, image, mask)
        drawn = []
        for part in chunks(request.count):
            told = (None if y is None else y[part], None if low is None else low[part])
            field = self.guided(*told, request.guidance)
            start, after = torch.zeros_like(noise[part]), unchanged
            if image is not None:
                start = image.expand_as(start)
                if mask is not None:
                    after = keeping(image, mask, noise[part], self.path)
            if times:
                start = noised(start, noise[part], self.path, times[0])
                way = Trajectory(self.meant, self.path, times, part, request.count)
                start = self.solve(way.field(field), start, times, generator, way.after(after))
            drawn.append(start)
        return Samples(torch.cat(drawn).clamp(-1, 1), labels=[] if y is None else y.tolist())

    def _times(
        self, request: SampleRequest, image: Tensor | None, mask: Tensor | None
    ) -> Sequence[float]:
        """Times from the noise that the request begins with; none where that is none."""
        usual = DEFAULT_STRENGTH if image is not None and mask is None else 1.0
        share = usual if request.strength is None else request.strength
        if image is None and request.strength is not None:
            raise RequestError("strength is how much of an image is replaced: give the image too")
        return self.times(request.steps or self.config.sampler_steps, share) if share > 0 else []

    def guided(self, y: Tensor | None, low: Tensor | None, guidance: float | None) -> Field:
        """The field of those conditions, guided towards the classes ``y``."""
        scale = self.config.guidance if guidance is None else guidance
        if y is None:
            scale = 1.0
        free = None if y is None else torch.full_like(y, self.shape.num_classes)
        config = self.config
        return guided(
            self.field,
            (y, low),
            (free, low),
            scale,
            lambda t: config.guidance_to <= share_of_noise(self.path, t) <= config.guidance_from,
        )


DEFAULT_STRENGTH = 0.5
"""Share of noise that a picture is begun from where nobody says another."""


def unet(config: Any, shape: DataShape, *, hints: int = 0) -> UNet:
    """The U-Net that ``config`` (UNetKnobs, PictureKnobs) wants for pictures of ``shape``."""
    channels, _, _ = image_size(shape, max(4, 2 ** (config.levels - 1)))
    return UNet(
        channels,
        extra=channels if config.upscale > 1 else 0,
        base=config.width,
        levels=config.levels,
        blocks=config.blocks,
        classes=shape.num_classes if config.conditional else 0,
        attention=config.attention,
        dropout=config.dropout,
        hints=hints,
    )
