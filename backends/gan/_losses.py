"""What the two players minimise: functions of D's outputs [B] for real and generated pictures.

real = D(x), fake = D(G(z)); greater means more real. Each function returns one number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

LossName = Literal["relativistic", "non_saturating", "least_squares", "hinge", "wasserstein"]


@dataclass(frozen=True, slots=True)
class Rules:
    """One game.

    Attributes:
        D: what the discriminator minimises, of (real, fake).
        G: what the generator minimises, of (real, fake).
        border: the output above which D calls a picture real; None where outputs mean something
            only in comparison, so that G needs ``real`` too or a shift of D changes nothing.
        needs_real: whether G's loss depends on ``real``.
    """

    D: Callable[[Tensor, Tensor], Tensor]
    G: Callable[[Tensor, Tensor], Tensor]
    border: float | None = 0.0
    needs_real: bool = False

    def sign(self, real: Tensor, fake: Tensor) -> Tensor:
        """r_t = E[sign D(x)] (Karras 2020, eq. 1): 1 where D knows all real pictures as such.

        Where only comparisons count, it is E[sign(D(x) - D(G(z)))].
        """
        return (real - (fake if self.border is None else self.border)).sign().mean()

    def accuracies(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """How often D is right about real and about generated pictures."""
        border = (real.mean() + fake.mean()) / 2 if self.border is None else self.border
        return (real > border).float().mean(), (fake < border).float().mean()


def _relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Jolicoeur-Martineau 2018; Huang 2024, eq. 2: real and generated pictures in pairs."""
    return F.softplus(fake - real).mean()


def _non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """Goodfellow 2014, eq. 1: binary cross-entropy of logits."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """Mao 2017, eq. 9: real is 1, generated is 0."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def _hinge(real: Tensor, fake: Tensor) -> Tensor:
    """Miyato 2018, eq. 16."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Arjovsky 2017, eq. 3: the critic's estimate of the earth mover's distance, negative."""
    return fake.mean() - real.mean()


RULES: Mapping[LossName, Rules] = {
    "relativistic": Rules(
        _relativistic, lambda real, fake: _relativistic(fake, real), None, needs_real=True
    ),
    # Goodfellow 2014, section 3: maximise log D(G(z)), whose gradient does not vanish.
    "non_saturating": Rules(_non_saturating, lambda real, fake: F.softplus(-fake).mean()),
    "least_squares": Rules(
        _least_squares, lambda real, fake: (fake - 1).square().mean() / 2, border=0.5
    ),
    "hinge": Rules(_hinge, lambda real, fake: -fake.mean()),  # Miyato 2018, eq. 17
    "wasserstein": Rules(_wasserstein, lambda real, fake: -fake.mean(), None),
}

RECIPES: Mapping[LossName, Mapping[str, float | str | int]] = {
    "relativistic": {},
    "non_saturating": {  # Radford 2015, section 4
        "optimizer": "adam",
        "lr": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "batch_size": 128,
        "schedule": "constant",
    },
    "least_squares": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999},
    "hinge": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.0, "beta2": 0.9},  # Miyato 2018, 4
    "wasserstein": {"optimizer": "adam", "lr": 1e-4, "beta1": 0.0, "beta2": 0.9},  # Gulrajani 2017
}
"""What each loss needs of the loop; relativistic is what the models' own recipes are made for."""
