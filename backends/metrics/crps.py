"""CRPS: how far a probabilistic forecast is from what came, in the unit of the data.

Gneiting & Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", section 4.2:

    CRPS(F, y) = ∫ (F(x) - 1{y <= x})² dx = E|X - y| - E|X - X'| / 2,   X, X' ~ F independent.

Zero is a certain and right forecast, less is better, and for a forecast without spread it is the
absolute error.
"""

import math

import torch
from torch import Tensor


def crps_samples(samples: Tensor, y: Tensor, *, fair: bool = True) -> Tensor:
    """CRPS [...] of ``samples`` [S, ...] drawn from the forecast, for what came, ``y`` [...].

    ``fair`` is the unbiased estimate for the distribution behind the samples (Ferro 2014), which
    can fall below 0; otherwise the samples themselves are the forecast, and it cannot.

    Raises:
        ValueError: shapes that do not match, or fewer samples than the estimate needs.
    """
    count = len(samples)
    if samples.shape[1:] != y.shape:
        shapes = f"{list(samples.shape)} and {list(y.shape)}"
        raise ValueError(f"samples [S, ...] and y [...] do not match: {shapes}")
    if count < 1 + fair:
        raise ValueError(f"CRPS needs at least {1 + fair} samples, not {count}")
    ordered = samples.sort(0).values
    # Σ_i Σ_j |x_i - x_j| = 2 Σ_i (2 i - S - 1) x_(i) over the ordered samples, i = 1 ... S
    ranks = 2 * torch.arange(1, count + 1, dtype=samples.dtype, device=samples.device) - count - 1
    spread = 2 * torch.tensordot(ranks, ordered, dims=1) / (count * (count - fair))
    return (samples - y).abs().mean(0) - spread / 2


def crps_gaussian(mu: Tensor, sigma: Tensor, y: Tensor) -> Tensor:
    """CRPS [...] of N(mu, sigma²) for what came, ``y``; all broadcast, sigma > 0 (equation 21):

    sigma (w (2 Φ(w) - 1) + 2 φ(w) - 1 / √π),   w = (y - mu) / sigma.
    """
    w = (y - mu) / sigma
    density = torch.exp(-(w**2) / 2) / math.sqrt(2 * math.pi)
    return sigma * (w * torch.erf(w / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
