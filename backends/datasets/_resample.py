"""Brings sound to another rate: a windowed sinc, evaluated only where samples are wanted."""

import math
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

ZEROS = 24
"""Zero crossings of the sinc on each side: the filter's length."""

ROLLOFF = 0.94
"""Where the filter cuts off, as a share of the lower of the two Nyquist frequencies."""

BETA = 9.0
"""Of Kaiser's window: what is above the cut is about 90 dB down."""

LARGEST = 2000
"""Of numerator and denominator: stranger ratios are taken to within about 2e-6."""


def resample(x: Tensor, before: int, after: int) -> Tensor:
    """Sound [L] at the rate ``before`` as [ceil(L after / before)] at the rate ``after``.

    Output n lies at input time n down / up. The outputs of equal phase n mod up share one filter,
    so that all is one convolution of stride ``down`` with ``up`` filters (Smith, "Digital Audio
    Resampling"; Crochiere & Rabiner 1983, chapter 3).
    """
    ratio = Fraction(after, before).limit_denominator(LARGEST)
    if ratio == 1 or not len(x):
        return x
    up, down = ratio.numerator, ratio.denominator
    filters, reach = _filters(up, down)
    count = math.ceil(len(x) * up / down)
    padded = F.pad(x[None, None].float(), (reach, reach + down))
    phases = F.conv1d(padded, filters[:, None], stride=down)  # [1, up, L / down]
    return phases[0].T.flatten()[:count]


@cache
def _filters(up: int, down: int) -> tuple[Tensor, int]:
    """One filter a phase [up, 2 reach + down], and how far it looks back from its first input."""
    cut = ROLLOFF * min(1.0, up / down)  # of the input's Nyquist frequency
    reach = math.ceil(ZEROS / cut)
    inputs = torch.arange(-reach, reach + down, dtype=torch.float64)
    outputs = torch.arange(up, dtype=torch.float64) * down / up
    t = (inputs - outputs[:, None]) * cut
    inside = (1 - (t / ZEROS) ** 2).clamp(min=0).sqrt()
    window = torch.where(t.abs() < ZEROS, torch.i0(BETA * inside), 0.0)  # Kaiser's
    filters = torch.sinc(t) * window
    return (filters / filters.sum(1, keepdim=True)).float(), reach  # a constant stays what it is
