"""Augmentation that does not leak: the network is told what was done (Karras 2022, appendix F.2).

When it draws it is told that nothing was, so that pictures are like the data.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.model import Batch

HINTS = 6
"""Numbers that tell what was done to a picture; all are 0 where nothing was."""

SCALE, SHIFT = 0.2, 0.125
"""Standard deviations of the logarithm to base 2 of the size, and of the place as a share."""


def augmented(batch: Batch, share: float) -> tuple[Tensor, Tensor]:
    """Pictures of which each is flipped, turned, scaled and moved with probability ``share`` each.

    Returns:
        the pictures [B, C, H, W] and what was done to them [B, HINTS].
    """
    count = len(batch.x)
    chosen = (batch.rand(4, count) < share).float()
    flip = chosen[0] * (batch.rand(count) < 0.5)
    angle = chosen[1] * (2 * batch.rand(count) - 1) * torch.pi
    size = chosen[2] * SCALE * batch.randn(count)
    shift = chosen[3] * SHIFT * batch.randn(2, count)
    matrix = affine(flip, angle, size, shift)
    grid = F.affine_grid(matrix, list(batch.x.shape), align_corners=False)
    moved = F.grid_sample(batch.x.float(), grid, padding_mode="reflection", align_corners=False)
    hints = torch.stack(
        [flip, angle.cos() - 1, angle.sin(), size / SCALE, *(shift / SHIFT)], dim=1
    )  # [B, HINTS]
    touched = hints.abs().amax(1) > 0  # resampling would soften the others
    return torch.where(touched[:, None, None, None], moved, batch.x), hints


def affine(flip: Tensor, angle: Tensor, size: Tensor, shift: Tensor) -> Tensor:
    """[B, 2, 3]: where in the old picture a place of the new one lies."""
    scale, sign = 2**-size, 1 - 2 * flip
    rows = [
        [sign * scale * angle.cos(), -sign * scale * angle.sin(), 2 * shift[0]],
        [scale * angle.sin(), scale * angle.cos(), 2 * shift[1]],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
