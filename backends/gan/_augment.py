"""Augmentation of all that D sees, real and generated: so it cannot learn pictures by heart.

Both kinds are differentiable, so that G learns through them, and draw from the batch's generator.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.model import Batch

AugmentName = Literal["none", "diffaugment", "ada"]

ADAPT_EVERY = 4
"""Turns of D between two adaptations of p (Karras 2020, section 3)."""


class DiffAugment(nn.Module):
    """Colour, translation and cutout (Zhao 2020, section 4), each picture with its own draw."""

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """[B, C, H, W] in [-1, 1] to the same shape; what leaves the picture or is cut out is 0."""
        x = colour(x.float(), batch.rand(3, len(x), 1, 1, 1))
        return cutout(translate(x, batch.rand(2, len(x), 1)), batch.rand(2, len(x), 1))


def colour(x: Tensor, u: Tensor) -> Tensor:
    """Brightness ±0.5, saturation 0..2 and contrast 0.5..1.5 by ``u`` [3, B, 1, 1, 1] in [0, 1)."""
    x = x + (u[0] - 0.5)
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * (2 * u[1])
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (u[2] + 0.5)


def translate(x: Tensor, u: Tensor, share: float = 1 / 8) -> Tensor:
    """Whole pixels up to ``share`` of the sides, by ``u`` [2, B, 1] in [0, 1)."""
    rows, columns = (_moved(n, u[i], share) for i, n in enumerate(x.shape[2:]))
    which = torch.arange(len(x), device=x.device)[:, None, None]
    padded = F.pad(x, (1, 1, 1, 1)).movedim(1, 3)  # => [B, H + 2, W + 2, C]
    return padded[which, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


def _moved(n: int, u: Tensor, share: float) -> Tensor:
    """Where each of n pixels comes from in a side that is padded by one, [B, n]."""
    most = int(n * share + 0.5)
    shift = (u * (2 * most + 1)).floor().long() - most
    return (torch.arange(n, device=u.device) + shift + 1).clamp(0, n + 1)


def cutout(x: Tensor, u: Tensor, share: float = 1 / 2) -> Tensor:
    """Sets a rectangle of ``share`` of the sides to 0, its middle anywhere: ``u`` [2, B, 1]."""
    rows, columns = (_hit(n, u[i], share) for i, n in enumerate(x.shape[2:]))
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _hit(n: int, u: Tensor, share: float) -> Tensor:
    size = int(n * share + 0.5)
    begin = (u * (n + (1 - size % 2))).floor() - size // 2
    place = torch.arange(n, device=u.device)
    return (place >= begin) & (place < begin + size)  # => [B, n]


class AdaptiveAugment(nn.Module):
    """ADA (Karras 2020): each transformation with a probability p that follows D's overfitting.

    Pixel blitting, general geometry and colour of the paper's appendix B, with bilinear filtering
    and reflection at the border. p and what it is adapted by are buffers.
    """

    p: Tensor
    signs: Tensor

    def __init__(self, target: float, kimg: float) -> None:
        super().__init__()
        self.target, self.kimg = target, kimg
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(3))  # their sum, pictures, turns

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """[B, C, H, W] in [-1, 1] to the same shape."""
        with torch.autocast(x.device.type, enabled=False):
            return _recolour(_warp(x.float(), self.geometry(x, batch)), self.colours(x, batch))

    @torch.no_grad()
    def note(self, sign: Tensor, count: int) -> None:
        """Takes down r_t of ``count`` real pictures."""
        self.signs += torch.stack([sign * count, torch.full_like(sign, count), sign * 0])

    @torch.no_grad()
    def adapt(self) -> None:
        """After a turn of D: every few turns p moves by a fixed amount a picture, up where r_t is
        above the target and down where it is below (section 3)."""
        self.signs[2] += 1
        total, count, turns = self.signs.unbind()
        rate = (total / count.clamp(min=1) - self.target).sign()
        moved = (self.p + rate * count / (1000 * self.kimg)).clamp(0, 1)
        due = turns >= ADAPT_EVERY
        self.p.copy_(torch.where(due, moved, self.p))
        self.signs.mul_(~due)

    def geometry(self, x: Tensor, batch: Batch) -> Tensor:
        """Matrices [B, 3, 3] from places in the result to places in ``x``, in half sides."""
        n, p = len(x), self.p
        rotated = 1 - (1 - p).sqrt()  # before and after the scaling: either with p

        def chosen(value: Tensor, none: float, p: Tensor = p) -> Tensor:
            return torch.where(batch.rand(n) < p, value, torch.full_like(value, none))

        mirror = chosen(1 - 2 * (batch.rand(n) < 0.5).float(), 1.0)
        quarter = chosen((batch.rand(n) * 4).floor() * (math.pi / 2), 0.0)
        height, width = x.shape[2:]
        whole = [chosen(2 * _pixels(batch.rand(n), s) / s, 0.0) for s in (width, height)]
        scale = chosen(torch.exp2(0.2 * batch.randn(n)), 1.0)
        before = chosen((2 * batch.rand(n) - 1) * math.pi, 0.0, rotated)
        stretch = chosen(torch.exp2(0.2 * batch.randn(n)), 1.0)
        after = chosen((2 * batch.rand(n) - 1) * math.pi, 0.0, rotated)
        part = [chosen(2 * 0.125 * batch.randn(n), 0.0) for _ in range(2)]
        turn = _turned(before) @ _scaled(scale * stretch, scale / stretch) @ _turned(after)
        flips = _scaled(mirror, torch.ones_like(mirror)) @ _turned(quarter)
        return flips @ _shifted(*whole) @ turn @ _shifted(*part)

    def colours(self, x: Tensor, batch: Batch) -> Tensor:
        """Matrices [B, C, C + 1]: linear part and offset."""
        n, channels = len(x), x.shape[1]
        eye = torch.eye(channels, device=x.device)

        def chosen(value: Tensor, none: float) -> Tensor:
            hit = batch.rand(n) < self.p
            return torch.where(hit, value, torch.full_like(value, none))[:, None, None]

        brightness = chosen(0.2 * batch.randn(n), 0.0)
        contrast = chosen(torch.exp2(0.5 * batch.randn(n)), 1.0)
        luma = torch.full_like(eye, 1 / channels)  # v vᵀ, v the unit vector of grays
        matrix = contrast * (eye - 2 * chosen((batch.rand(n) < 0.5).float(), 0.0) * luma)
        if channels == 3:
            angle = chosen((2 * batch.rand(n) - 1) * math.pi, 0.0)
            saturation = chosen(torch.exp2(batch.randn(n)), 1.0)
            matrix = (luma + (eye - luma) * saturation) @ _hue(angle, luma) @ matrix
        offset = (brightness * contrast).expand(n, channels, 1)
        return torch.cat([matrix, offset], dim=2)


def _pixels(u: Tensor, side: int) -> Tensor:
    """Whole pixels, uniform up to an eighth of the side."""
    most = int(side / 8 + 0.5)
    return (u * (2 * most + 1)).floor() - most


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _turned(angle: Tensor) -> Tensor:
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrix([[c, -s, o], [s, c, o], [o, o, i]])


def _scaled(x: Tensor, y: Tensor) -> Tensor:
    o, i = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[1 / x, o, o], [o, 1 / y, o], [o, o, i]])


def _shifted(x: Tensor, y: Tensor) -> Tensor:
    o, i = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[i, o, -x], [o, i, -y], [o, o, i]])


def _hue(angle: Tensor, luma: Tensor) -> Tensor:
    """Rotations [B, 3, 3] around the grays (Rodrigues)."""
    eye, root = torch.eye(3, device=angle.device), 1 / math.sqrt(3)
    cross = root * (eye.roll(-1, 0) - eye.roll(1, 0)).t()
    return angle.cos() * eye + angle.sin() * cross + (1 - angle.cos()) * luma


def _warp(x: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix[:, :2], list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _recolour(x: Tensor, matrix: Tensor) -> Tensor:
    mixed = torch.einsum("bij,bjhw->bihw", matrix[:, :, :-1], x)
    return mixed + matrix[:, :, -1, None, None]
