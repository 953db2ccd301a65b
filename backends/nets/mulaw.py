"""µ-law companding (ITU-T G.711, in the continuous form of van den Oord 2016, section 2.2)."""

import math

import torch
from torch import Tensor

LEVELS, MU, SILENCE = 256, 255, 128
"""Codes lie symmetrically about SILENCE, which is exactly 0: 1 is -1 and 255 is 1."""


def compress(x: Tensor) -> Tensor:
    """sign(x) ln(1 + µ|x|) / ln(1 + µ): [-1, 1] to [-1, 1], finer about 0."""
    return x.sign() * torch.log1p(MU * x.abs()) / math.log1p(MU)


def expand(y: Tensor) -> Tensor:
    """The inverse of :func:`compress`."""
    return y.sign() * torch.expm1(y.abs() * math.log1p(MU)) / MU


def encode(x: Tensor) -> Tensor:
    """Waveform in [-1, 1] to codes, int64."""
    return (compress(x.clamp(-1, 1)) * (SILENCE - 1)).round().long() + SILENCE


def decode(codes: Tensor) -> Tensor:
    """Codes to a waveform in [-1, 1]."""
    return expand((codes - SILENCE).float().div(SILENCE - 1).clamp(-1, 1))
