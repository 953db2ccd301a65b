"""Clips of sound of one length, in memory: what every data set of sounds hands over."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.data import Dataset, Source
from backends.data_error import DataError
from backends.model import DataShape

LOUDEST = 32767
Waves = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Clips(Source):
    """Sounds as one tensor.

    Attributes:
        waves: int16 [N, L].
        labels: int64 [N], or None.
    """

    waves: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.waves)

    def fetch(
        self, indices: Tensor, seeds: Tensor, epoch_seed: int
    ) -> tuple[Tensor, Tensor | None]:
        """Waveforms [B, 1, L] in [-1, 1] and their labels [B]."""
        indices = indices.to(self.waves.device)
        x = self.waves[indices][:, None].float().div_(LOUDEST).clamp_(-1, 1)
        return x, None if self.labels is None else self.labels[indices]

    def to(self, device: torch.device) -> "Clips":
        labels = None if self.labels is None else self.labels.to(device)
        return Clips(self.waves.to(device), labels)


def clip_dataset(
    waves: Waves,
    labels: NDArray[np.integer] | None,
    classes: tuple[str, ...],
    held: NDArray[np.bool_],
    *,
    rate: int,
    where: str,
    notices: tuple[str, ...] = (),
) -> Dataset:
    """Clips ``waves`` [N, L] at ``rate`` Hz, of which those in ``held`` [N] are held out."""
    if held.all() or not held.any():
        raise DataError(f"{where} has 1 clip, and 1 must be held out: add sounds or lower length")

    def part(chosen: NDArray[np.bool_]) -> Clips:
        y = None if labels is None else torch.from_numpy(labels[chosen].astype(np.int64))
        return Clips(torch.from_numpy(waves[chosen]), y)

    shape = DataShape("audio", (1, waves.shape[1]), classes, rate=rate)
    return Dataset(shape, part(~held), part(held), notices)


def windows(sound: Tensor, length: int) -> Waves:
    """``sound`` [T] in [-1, 1] cut into clips [N, length]; what is silent is left out.

    A rest is filled up with silence, unless it is less than half a clip of a longer sound.
    """
    whole, rest = divmod(len(sound), length)
    if rest and (whole == 0 or 2 * rest >= length):
        sound = torch.cat([sound, sound.new_zeros(length - rest)])
        whole += 1
    cut = sound[: whole * length].reshape(whole, length)
    waves = cut.clamp(-1, 1).mul(LOUDEST).round().to(torch.int16)
    return waves[cut.abs().amax(1) > SILENT].numpy() if whole else waves.numpy()


SILENT = 1e-3
"""Peak of what counts as silence: 60 dB below the loudest that there is."""
