"""Whether samples are new, or copies of what was trained on.

A distance to real data cannot tell: a copy of the training set scores like real data. These can.
"""

import torch
from torch import Tensor

from backends.metrics.neighbours import nearest, nearest_other


def neighbour_ratio(samples: Tensor, train: Tensor, held_out: Tensor) -> float:
    """Median distance of ``samples`` to the nearest of ``train``, over that of ``held_out``.

    All are features [N, D]. About 1 for real data, 0 for copies, more than 1 for samples that are
    off the data; infinite where ``held_out`` itself is in ``train``.
    """
    distance, usual = (nearest(x, train)[0].median().item() for x in (samples, held_out))
    return distance / usual if usual else torch.inf


def authenticity(samples: Tensor, train: Tensor) -> float:
    """Share of ``samples`` [N, D] farther from their nearest of ``train`` [M, D] than that one is
    from the nearest other one of ``train``; from 0 to 1, and 0 for copies.

    Alaa 2022, "How Faithful is your Synthetic Data?", section 3.2. Samples that blur the data lie
    in its midst and score low without being copies: read it beside :func:`neighbour_ratio`.
    """
    distance, index = nearest(samples, train)
    return (distance[:, 0] > nearest_other(train)[index[:, 0]]).double().mean().item()


def copied(samples: Tensor, train: Tensor, closeness: float = 1 / 3) -> float:
    """Share of ``samples`` [N, D] whose nearest of ``train`` [M, D], M >= 2, is closer than
    ``closeness`` of the second nearest: what a copy is, and a new sample between others is not."""
    distance, _ = nearest(samples, train, k=2)
    return (distance[:, 0] < closeness * distance[:, 1]).double().mean().item()
