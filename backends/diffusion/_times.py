"""Times that a batch is trained at, and where along the way from noise to data its error lies."""

import torch
from torch import Tensor

from backends.model import Batch


def spread(batch: Batch) -> Tensor:
    """[B] from [0, 1), one in each of B equal parts, all by the same offset, which keeps the loss
    of a small batch steady (Kingma 2021, appendix I.1)."""
    count = len(batch.x)
    return (torch.arange(count, device=batch.x.device) + batch.rand(1)) / count


def spread_normal(batch: Batch) -> Tensor:
    """[B] from a standard normal, spread evenly over its quantiles."""
    return torch.special.ndtri(spread(batch).clamp(1e-6, 1 - 1e-6))


def logit_normal(batch: Batch, mean: float, std: float) -> Tensor:
    """t [B] whose logits are normal (Esser 2024, section 3.1)."""
    return torch.sigmoid(mean + std * spread_normal(batch))


def by_time(errors: Tensor, t: Tensor, name: str = "loss_t", bins: int = 4) -> dict[str, Tensor]:
    """Mean of ``errors`` [B] in each quarter of t [B] in [0, 1]; the overall mean where none is."""
    terms = {}
    for i in range(bins):
        inside = ((t * bins).long().clamp(max=bins - 1) == i).float()
        count = inside.sum()
        mean = (errors * inside).sum() / count.clamp(min=1)
        terms[f"{name}/{i / bins:.2f}-{(i + 1) / bins:.2f}"] = torch.where(
            count > 0, mean, errors.mean()
        )
    return terms


def per_item(values: Tensor, like: Tensor) -> Tensor:
    """``values`` [B] as [B, 1, ...] with as many dimensions as ``like``."""
    return values.view(-1, *[1] * (like.dim() - 1))
