"""What a training hands over: a way to draw, and what it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


class NotTrainedError(Exception):
    """A training that came to nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pictures [N, C, H, W] in [-1, 1], and their classes where the entrant was told them."""

    images: Tensor
    labels: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained entrant.

    Attributes:
        draw: makes so many pictures.
        steps: optimizer steps taken.
        parameters: weights of all its networks.
        precision: the arithmetic it was trained in.
    """

    draw: Callable[[int], Drawn]
    steps: int
    parameters: int
    precision: str = "float32"
