"""Pictures that are given: brought to size, noised for a start, kept where nothing is to change."""

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.diffusion._solvers import Hook, Path


def fit(picture: Tensor, height: int, width: int) -> Tensor:
    """[B, C, h, w] cut to the aspect ratio of height x width about its centre, then resized."""
    h, w = picture.shape[2:]
    if (h, w) == (height, width):
        return picture
    scale = min(h / height, w / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (h - rows) // 2, (w - columns) // 2
    cut = picture[:, :, top : top + rows, left : left + columns]
    return resized(cut, height, width)


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Bicubic, without aliasing; within the range that it had."""
    low, high = picture.amin(), picture.amax()
    drawn = F.interpolate(
        picture.float(), (height, width), mode="bicubic", antialias=True, align_corners=False
    )
    return drawn.clamp(low, high)


def blurred(x: Tensor, factor: int) -> Tensor:
    """``x`` [B, C, H, W] as it looks after it was ``factor`` times smaller."""
    height, width = x.shape[2:]
    return resized(resized(x, height // factor, width // factor), height, width)


def noised(x: Tensor, noise: Tensor, path: Path, t: float) -> Tensor:
    """x_t = alpha x + sigma noise: where SDEdit begins (Meng 2021)."""
    alpha, sigma = path(t)
    return alpha * x + sigma * noise


def keeping(x: Tensor, mask: Tensor, noise: Tensor, path: Path) -> Hook:
    """A hook that puts ``x`` back wherever ``mask`` [1, 1, H, W] is 0 (RePaint, Lugmayr 2022).

    At time t what is known is x_t with always the same noise, so that it moves along one line; at
    the end it is ``x`` itself.
    """

    def after(x_t: Tensor, t: float) -> Tensor:
        known = noised(x, noise, path, t)
        return torch.where(mask > 0, mask * x_t + (1 - mask) * known, known)

    return after


def share_of_noise(path: Path, t: float) -> float:
    """sigma / (alpha + sigma): 0 for data, 1 for noise; on the straight path it is 1 - t."""
    alpha, sigma = path(t)
    return sigma / (alpha + sigma)
