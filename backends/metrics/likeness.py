"""How near pictures are to the pictures that they should be: PSNR and SSIM."""

import torch
from torch import Tensor
from torch.nn import functional as F

RANGE = 2.0
"""Of pixels in [-1, 1]."""

WINDOW, SPREAD = 11, 1.5
"""Sides in pixels of SSIM's Gaussian window, and its standard deviation."""


def psnr(x: Tensor, truth: Tensor) -> Tensor:
    """10 log10(range² / mean squared error) of each picture [B, C, H, W], in dB, [B].

    Equal pictures have 100 dB, as any error below is of no pixel that can be seen.
    """
    error = (x.float() - truth.float()).square().flatten(1).mean(1)
    return 10 * torch.log10(RANGE**2 / error.clamp(min=RANGE**2 * 1e-10))


def ssim(x: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of each picture [B, C, H, W], [B], 1 for equal ones.

    Wang, Bovik, Sheikh & Simoncelli 2004, eq. 13, over Gaussian windows that lie inside of the
    pictures, whose sides are at least 11 pixels; the mean over windows and channels.
    """
    with torch.autocast(x.device.type, enabled=False):
        planes = [t.float().flatten(0, 1)[:, None] for t in (x, truth)]  # each [B C, 1, H, W]
        a, b = planes
        mean_a, mean_b = _blurred(a), _blurred(b)
        var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
        cov = _blurred(a * b) - mean_a * mean_b
        c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
        luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        structure = (2 * cov + c2) / (var_a + var_b + c2)
        return (luminance * structure).reshape(len(x), -1).mean(1)


def _blurred(x: Tensor) -> Tensor:
    """[N, 1, H, W] to [N, 1, H - 10, W - 10]: means over the window, one axis after the other."""
    place = torch.arange(WINDOW, device=x.device) - WINDOW // 2
    weights = torch.exp(-(place**2) / (2 * SPREAD**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights[None, None, :, None]), weights[None, None, None, :])
