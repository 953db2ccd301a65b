"""What latents are drawn from: the normal prior, or a mixture that is fitted to the posterior.

Ghosh et al. 2020, "From Variational to Deterministic Autoencoders", section 4: the encoder does not
fill N(0, 1) evenly, and a mixture fitted to its latents afterwards knows where it does.
"""

import torch
from torch import Tensor, nn

from backends.vae._mixture import Mixture, fit

CAPACITY = 4096
"""Latents that are remembered."""

POINTS = 3
"""A component with D x D covariances wants this many times D points."""


class Memory(nn.Module):
    """The latents of the last pictures seen in training, as buffers: they are in the checkpoint.

    Attributes:
        latents: [CAPACITY, D], a ring; the means of the posteriors.
        labels: [CAPACITY].
        seen: how many there have ever been; 0 is an empty memory.
    """

    latents: Tensor
    labels: Tensor
    seen: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.register_buffer("latents", torch.zeros(CAPACITY, latent))
        self.register_buffer("labels", torch.zeros(CAPACITY, dtype=torch.long))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self._fitted: dict[tuple[int, int | None, int], Mixture | None] = {}

    def add(self, z: Tensor, y: Tensor | None) -> None:
        """Remembers latents [N, D] and their classes [N] instead of the oldest."""
        z, y = z.detach()[-CAPACITY:], None if y is None else y[-CAPACITY:]
        places = (self.seen + torch.arange(len(z), device=z.device)) % CAPACITY
        self.latents[places] = z.float()
        if y is not None:
            self.labels[places] = y
        self.seen += len(z)

    def mixture(self, label: int | None, components: int) -> Mixture | None:
        """Of the latents of a class, or of all; None where they are too few."""
        of = (self.latents._version, label, components)
        if of not in self._fitted:
            if any(version != of[0] for version, *_ in self._fitted):
                self._fitted.clear()  # the latents are others now
            self._fitted[of] = self._fit(label, components)
        return self._fitted[of]

    def _fit(self, label: int | None, components: int) -> Mixture | None:
        known = slice(0, min(int(self.seen), CAPACITY))
        z = self.latents[known]
        if label is not None:
            z = z[self.labels[known] == label]
        components = min(components, len(z) // (POINTS * z.shape[1]))
        return fit(z.cpu(), components) if components else None

    def transform(self, u: Tensor, noise: Tensor, y: Tensor | None, components: int) -> Tensor:
        """Latents [N, D] of the classes [N] from uniform u [N] and normal noise [N, D].

        Where too few latents are known they are the noise: N(0, 1).
        """
        z = noise.clone()
        for label in [None] if y is None else y.unique().tolist():
            chosen = slice(None) if y is None else y == label
            mixture = self.mixture(label, components)
            if mixture is not None:
                drawn = mixture.transform(u[chosen].cpu(), noise[chosen].cpu())
                z[chosen] = drawn.to(device=z.device, dtype=z.dtype)
        return z
