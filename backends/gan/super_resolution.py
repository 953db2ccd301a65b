"""Super-resolution GAN: learns to enlarge pictures by drawing the detail that small ones have lost.

Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network" (SRGAN); Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial
Networks". The data are the large pictures, and the loss makes them small. G adds to the bicubic
enlargement what its residual dense blocks know, so that untrained it is the bicubic enlargement.
After a part of the training on the content alone it plays against D. The perceptual loss compares
features of D (Larsen 2016), as nothing that was trained elsewhere is needed. What gains in look may
lose in pixels (Blau & Michaeli 2018): watch PSNR beside the pictures when D's weight is raised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.gan._game import BalanceConfig, Game, RulesConfig, SightConfig
from backends.gan.dcgan import Discriminator
from backends.knobs import Bounds, ConfigError
from backends.metrics.likeness import psnr, ssim
from backends.model import INPUTS, Batch, DataShape, Losses, RequestError, Samples
from backends.nets.blocks import chunks, image_size, zero
from backends.records import SampleRequest

MOST_PIXELS = 2**21
"""Of a picture that can be enlarged: more would not fit the memory of a small machine."""


@dataclass(frozen=True, kw_only=True)
class Config(RulesConfig, BalanceConfig, SightConfig):
    """Knobs of the super-resolution GAN."""

    conditional: ClassVar[bool] = False  # the small picture is the condition
    scale: Annotated[int, "how many times longer the sides become", Bounds(2, 4)] = 2
    shrink: Annotated[
        Literal["bicubic", "area"], "how the pictures of the data are made small, without aliasing"
    ] = "bicubic"
    width: Annotated[int, "channels of G", Bounds(4, 512)] = 32
    growth: Annotated[int, "channels that each layer of a dense block adds", Bounds(2, 256)] = 16
    blocks: Annotated[int, "dense blocks of G", Bounds(1, 64)] = 4
    judge_width: Annotated[int, "channels of D at half the resolution", Bounds(4, 256)] = 32
    pretrain: Annotated[float, "share of the training before D plays", Bounds(0, 1)] = 0.6
    content: Annotated[float, "weight of the mean absolute error", Bounds(0, 1000)] = 1.0
    features: Annotated[float, "weight of the error in D's features", Bounds(0, 1000)] = 0.1
    adversarial: Annotated[float, "weight of what D says", Bounds(0, 1000)] = 0.05


class SuperResolution(Game):
    """The enlarger G and the discriminator D of large pictures."""

    Config = Config
    one_pass = True
    asks: ClassVar[frozenset[str]] = frozenset({"image"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1500,
        "batch_size": 32,
        "clip_grad": 0.0,
        "sample_count": 16,
    }

    held: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        channels, *sides = image_size(shape)
        if any(side % config.scale for side in sides):
            raise ConfigError(
                f"pictures of {sides[0]} x {sides[1]} cannot be made {config.scale} times smaller: "
                "choose a scale that divides both sides"
            )
        self.seat(Enlarger(config, channels), Discriminator(config.judge_width, self.shape))
        self.register_buffer("held", torch.zeros(INPUTS, *shape.size))

    def observe(self, held: Batch) -> None:
        """Keeps pictures to be made small and enlarged again: the first ones, over and over."""
        self.held.copy_(held.x[torch.arange(INPUTS, device=held.x.device) % len(held.x)])

    # ------------------------------------------------------------------ one step

    def shrunk(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, H / scale, W / scale]."""
        if self.config.shrink == "area":
            return F.avg_pool2d(x.float(), self.config.scale)
        size = [side // self.config.scale for side in x.shape[2:]]
        return F.interpolate(x.float(), size, mode="bicubic", antialias=True).clamp(-1, 1)

    def generate(self, batch: Batch) -> Tensor:
        return self.G(self.shrunk(batch.x))

    def discriminator_loss(self, batch: Batch) -> Losses:
        if batch.progress < self.config.pretrain:
            return {"loss": 0.0 * torch.stack([p.sum() for p in self.D.parameters()]).sum()}
        return super().discriminator_loss(batch)

    def generator_loss(self, batch: Batch) -> Losses:
        """Content, and when its time has come features and what D says (Wang 2018, eq. 3)."""
        ours = self.generate(batch).float()
        content = (ours - batch.x).abs().mean()
        terms = {"content": content.detach(), "psnr": psnr(ours.detach(), batch.x).mean()}
        loss = self.config.content * content
        if batch.progress < self.config.pretrain:
            return {"loss": loss, **terms}
        with torch.no_grad():
            truth, real = self._judged(self.seen(batch.x, batch))
        seen, fake = self._judged(self.seen(ours, batch))
        pairs = zip(seen, truth, strict=True)
        features = torch.stack([(a - b).float().abs().mean() for a, b in pairs]).mean()
        adversarial = self.rules.G(real, fake)
        loss = loss + self.config.features * features + self.config.adversarial * adversarial
        terms |= {"features": features.detach(), "adversarial": adversarial.detach()}
        return {"loss": loss, **terms}

    def _judged(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What D's convolutions find in pictures, and its outputs [B]."""
        assert isinstance(self.D, Discriminator)
        found = []
        for layer in self.D.net:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                found.append(x)
        return found, self.D.head(x, None)

    # ------------------------------------------------------------------ looking at it

    def validation(self, batch: Batch) -> Losses:
        """How near enlargements are to the real pictures: ours, bicubic, and with larger pixels."""
        small = self.shrunk(batch.x)
        ours = self.G(small).float().clamp(-1, 1)
        terms = {"content": (ours - batch.x).abs().mean(), **_scores("", ours, batch.x)}
        terms |= _scores("Bicubic/", enlarged(small, self.config.scale).clamp(-1, 1), batch.x)
        terms |= _scores("Nearest/", enlarged(small, self.config.scale, "nearest"), batch.x)
        real, fake = self.D(batch.x, None), self.D(ours, None)
        on_real, on_fake = self.rules.accuracies(real, fake)
        return {**terms, "D/real_accuracy": on_real, "D/fake_accuracy": on_fake}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Held-out pictures, each in a row: small, bicubic, ours, real."""
        order = torch.randperm(INPUTS, generator=generator, device=self.device)
        real = self.held[order[torch.arange(request.count, device=self.device) % INPUTS]]
        rows = [self._row(real[part]) for part in chunks(len(real))]
        return Samples(torch.cat(rows))

    def _row(self, real: Tensor) -> Tensor:
        small, scale = self.shrunk(real), self.config.scale
        row = [enlarged(small, scale, "nearest"), enlarged(small, scale), self.G(small), real]
        return torch.cat([x.float().clamp(-1, 1) for x in row], dim=3)  # => [B, C, H, 4 W]

    def edit(
        self,
        request: SampleRequest,
        generator: torch.Generator,
        image: Tensor,
        mask: Tensor | None,
    ) -> Samples:
        """``image``, of any size, enlarged; there is one way to do so, so one sample."""
        height, width = image.shape[2:]
        if height * width > MOST_PIXELS:
            raise RequestError(
                f"the image has {height * width:,} pixels and {MOST_PIXELS:,} can be enlarged at "
                "once: cut it into parts"
            )
        return Samples(self.G(image).float().clamp(-1, 1))


def enlarged(x: Tensor, scale: int, mode: Literal["bicubic", "nearest"] = "bicubic") -> Tensor:
    """[B, C, H, W] to [B, C, scale H, scale W]."""
    return F.interpolate(x.float(), scale_factor=scale, mode=mode)


def _scores(who: str, x: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Nearness in pixels, in structure, and how much of the truth's contrast of neighbours is
    there: 1 is as sharp as real pictures."""
    sharpness = _slope(x) / _slope(truth).clamp(min=1e-6)
    values = {"psnr": psnr(x, truth).mean(), "ssim": ssim(x, truth).mean(), "sharpness": sharpness}
    return {f"{who}{name}": value for name, value in values.items()}


def _slope(x: Tensor) -> Tensor:
    return x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean()


class Enlarger(nn.Module):
    """Small pictures [B, C, h, w] of any size to [B, C, scale h, scale w]."""

    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        width, self.scale = config.width, config.scale
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.trunk = nn.Sequential(*[Dense(width, config.growth) for _ in range(config.blocks)])
        self.up = nn.Sequential(
            *(nn.Conv2d(width, width * self.scale**2, 3, padding=1), nn.PixelShuffle(self.scale)),
            *(nn.LeakyReLU(0.2), zero(nn.Conv2d(width, channels, 3, padding=1))),
        )

    def forward(self, small: Tensor) -> Tensor:
        h = self.first(small)
        return enlarged(small, self.scale) + self.up(h + self.trunk(h))


class Dense(nn.Module):
    """x + 0.2 f(x), where each layer of f sees the outputs of all before it, and no batch norm.

    Wang 2018, section 3.1, with three layers instead of five and one level of residuals.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        sizes = [(width, growth), (width + growth, growth), (width + 2 * growth, width)]
        self.layers = nn.ModuleList([nn.Conv2d(*size, 3, padding=1) for size in sizes])

    def forward(self, x: Tensor) -> Tensor:
        found: Sequence[Tensor] = [x]
        for layer in self.layers[:-1]:
            found = [*found, F.leaky_relu(layer(torch.cat(list(found), dim=1)), 0.2)]
        return x + 0.2 * self.layers[-1](torch.cat(list(found), dim=1))
