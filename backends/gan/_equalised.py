"""What StyleGAN builds from: equalised layers, modulated convolutions, filters; its discriminator.

Karras et al. 2018, "Progressive Growing of GANs"; Karras et al. 2020, "Analyzing and Improving the
Image Quality of StyleGAN" (StyleGAN2).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from backends.gan._projection import Projection

GROUP = 4
"""Pictures whose standard deviation D sees."""


class EqualLinear(nn.Linear):
    """Weights N(0, 1), scaled by He's constant when they are used (Karras 2018, section 4.1): so
    the optimizer's steps are equally large for all layers. ``lr`` slows this layer down."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, lr: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight, 0.0, 1 / lr)
        nn.init.constant_(self.bias, bias / lr)
        self.gain, self.lr = lr / math.sqrt(inputs), lr

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight * gain_of(self, self.gain), self.bias * self.lr)


class EqualConv(nn.Conv2d):
    """The same as a convolution with ``size`` x ``size`` kernels."""

    def __init__(self, before: int, after: int, size: int, *, bias: bool = True) -> None:
        super().__init__(before, after, size, padding=size // 2, bias=bias)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.gain = 1 / math.sqrt(before * size * size)

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight * gain_of(self, self.gain)
        return F.conv2d(input, weight, self.bias, padding=self.padding)


def gain_of(layer: nn.Module, gain: float) -> float:
    """The layer's gain; a spectral norm, where there is one, scales the weights by itself."""
    return 1.0 if parametrize.is_parametrized(layer, "weight") else gain


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance, nearly."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def normalised(x: Tensor) -> Tensor:
    """Vectors [B, D] of mean square 1 (Karras 2018, section 4.2)."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt()


def modulated(x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True) -> Tensor:
    """A convolution of each picture with kernels of its own (Karras 2020, eq. 1 and 3).

        w'_ijk = s_i w_ijk,    w''_ijk = w'_ijk / sqrt(sum over i, k of w'_ijk² + eps)

    As a convolution is linear, scaling its inputs by s and its outputs by the root is the same, and
    one convolution for all pictures takes the place of one for each.

    Args:
        x: [B, I, H, W].
        weight: [O, I, k, k].
        style: s [B, I].
    """
    style = style.float()
    h = F.conv2d(x * style[:, :, None, None].to(x.dtype), weight, padding=weight.shape[-1] // 2)
    if not demodulate:
        return h
    with torch.autocast(x.device.type, enabled=False):
        squares = style.square() @ weight.float().square().sum((2, 3)).t()  # => [B, O]
        scale = (squares + 1e-8).rsqrt()
    return h * scale[:, :, None, None].to(h.dtype)


def doubled(x: Tensor) -> Tensor:
    """Twice the sides, through the filter [1, 3, 3, 1] (Karras 2020, appendix B), which is what
    bilinear interpolation does."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def halved(x: Tensor) -> Tensor:
    """Half the sides, through the same filter: bilinear without aliasing.

    In float32, as the CPU has no other kernel for it.
    """
    half = F.interpolate(
        x.float(), scale_factor=0.5, mode="bilinear", align_corners=False, antialias=True
    )
    return half.to(x.dtype)


def with_deviation(x: Tensor) -> Tensor:
    """Adds a channel: how much a pixel differs within a group of pictures, on the average over
    pixels and channels (Karras 2018, section 3). So D notices that all pictures are alike.

    A group is GROUP pictures that follow one another, or the greatest number below that divides B.
    """
    n = len(x)
    group = math.gcd(n, GROUP)
    groups = x.float().unflatten(0, (n // group, group))  # [B / g, g, C, H, W]
    squares = (groups - groups.mean(1, keepdim=True)).square().mean(1)  # a var() here is slow
    deviation = (squares + 1e-8).sqrt().mean((1, 2, 3))  # [B / g]
    plane = deviation.repeat_interleave(group)[:, None, None, None]
    return torch.cat([x, plane.expand(-1, 1, *x.shape[2:]).to(x.dtype)], dim=1)


class Discriminator(nn.Module):
    """Images [B, C, H, W] and classes [B] to outputs [B]; greater means more real.

    ``c`` are the channels from the largest sides to the smallest, which are ``inner``.
    """

    def __init__(
        self, channels: int, inner: tuple[int, int], c: Sequence[int], classes: int
    ) -> None:
        super().__init__()
        self.first = EqualConv(channels, c[0], 1)
        self.blocks = nn.Sequential(*[Down(before, after) for before, after in pairwise(c)])
        self.last = EqualConv(c[-1] + 1, c[-1], 3)
        self.flat = EqualLinear(c[-1] * math.prod(inner), c[-1])
        self.head = Projection(c[-1], classes)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        h = self.blocks(leaky(self.first(x)))
        h = leaky(self.last(with_deviation(h)))
        return self.head(leaky(self.flat(h.flatten(1))), y)


class Down(nn.Module):
    """Half the sides, residual (figure 7c); the second convolution acts when they are."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = EqualConv(before, before, 3)
        self.conv2 = EqualConv(before, after, 3)
        self.skip = EqualConv(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = leaky(self.conv2(halved(leaky(self.conv1(x)))))
        return (h + self.skip(halved(x))) / math.sqrt(2)
