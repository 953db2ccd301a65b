"""How a token is drawn from logits: temperature, the k likeliest, the nucleus."""

import math

import torch
from torch import Tensor


def draw(
    logits: Tensor,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    generator: torch.Generator,
) -> Tensor:
    """Tokens [B] drawn from softmax(logits [B, V] / temperature).

    ``top_k`` leaves the k likeliest tokens, then ``top_p`` the fewest likeliest ones that together
    have at least that probability (nucleus sampling, Holtzman et al. 2020, eq. 2).
    """
    if temperature == 0 or top_k == 1 or top_p == 0:
        return logits.argmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -math.inf)
    # Less the greatest first, so that a tiny temperature does not overflow.
    logits = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    probabilities = logits.softmax(dim=-1)
    if top_p is not None and top_p < 1:
        probabilities = nucleus(probabilities, top_p)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """``probabilities`` [B, V] with zeros where those that are greater sum to ``top_p`` already."""
    falling, order = probabilities.sort(dim=-1, descending=True)
    before = falling.cumsum(dim=-1) - falling  # what the likelier ones have
    kept = falling.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter_(-1, order, kept)
