"""Where along the way from noise to data the error lies."""

import torch
from torch import Tensor


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
