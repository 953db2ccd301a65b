"""Ways about a latent space: walks, class after class, and the neighbourhood of one latent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.records import SampleRequest


@dataclass(frozen=True, slots=True)
class Walks:
    """One walk a class.

    Attributes:
        labels: class [count] of each picture; None where there are no classes.
        places: how far along its walk each picture is, [count] in [0, 1].
    """

    labels: Tensor | None
    places: Tensor


def walks(request: SampleRequest, classes: int, device: torch.device) -> Walks:
    """The walks that a request wants: through its labels, or through all ``classes``."""
    wanted = request.labels or list(range(classes))
    count, number = request.count, min(request.count, len(wanted) or 1)
    walk_of = [i * number // count for i in range(count)]
    labels = torch.tensor([wanted[w] for w in walk_of], device=device) if wanted else None
    return Walks(labels, torch.tensor(_places(walk_of), device=device))


def _places(walk_of: Sequence[int]) -> list[float]:
    begins = [walk_of.index(walk) for walk in walk_of]
    lengths = [walk_of.count(walk) for walk in walk_of]
    numbered = enumerate(zip(begins, lengths, strict=True))
    return [(i - begin) / max(1, length - 1) for i, (begin, length) in numbered]


SPREAD = 0.3
"""How far neighbours go unless somebody says how far."""


def near(z: Tensor, request: SampleRequest, generator: torch.Generator) -> Tensor:
    """Neighbours [N, D] of the latent of ``z`` that ``request`` draws around, itself the first.

    They are sqrt(1 - s²) z + s ε, with ε ~ N(0, 1): as long as latents usually are, and at a spread
    s of 1 as likely as any. Without a wish that is ``z`` itself.
    """
    if request.around is None:
        return z
    s = SPREAD if request.spread is None else request.spread
    noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
    here = z[request.around]
    drawn = math.sqrt(1 - s**2) * here + s * noise
    drawn[0] = here
    return drawn


def arc(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Latents [N, D] at ``t`` [N] of the way from a to b [N, D] along an arc (White 2016).

    All are about as long as latents usually are, which those on the straight line are not.
    """
    cosine = torch.cosine_similarity(a, b).clamp(-1 + 1e-6, 1 - 1e-6)
    angle, t = torch.arccos(cosine)[:, None], t[:, None]
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
