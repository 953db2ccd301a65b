"""Log-mel spectrograms, and the way back to a waveform without any learned vocoder.

The way back is the pseudo-inverse of the mel filters and Griffin & Lim 1984, "Signal Estimation
from Modified Short-Time Fourier Transform": phases are found by going to the waveform and back
again, each time keeping the magnitudes that are wanted; with the momentum of Perraudin 2013, "A
Fast Griffin-Lim Algorithm".
"""

import math

import torch
from torch import Tensor, nn

FLOOR = 1e-4
"""Magnitudes below it, 80 dB under full scale, are silence."""


class MelSpectrogram(nn.Module):
    """Waveforms [B, L] to log-mel pictures [B, mels, L / hop] in about [-1, 1], and back.

    Args:
        rate: samples a second.
        mels: filters, evenly spread over the mel scale up to half the rate.
        window: samples of the Hann window.
        hop: samples between two frames; a quarter of the window.
    """

    filters: Tensor
    inverse: Tensor
    hann: Tensor

    def __init__(self, rate: int, mels: int, window: int = 256, hop: int = 64) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        filters = mel_filters(rate, mels, window // 2 + 1)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(filters), persistent=False)
        self.register_buffer("hann", torch.hann_window(window), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """The picture of ``wave`` [B, L]: -1 is silence, 1 is as loud as a full sine."""
        magnitudes = self.filters @ self.spectrum(wave.float()).abs() * (4 / self.window)
        log = magnitudes.clamp_min(FLOOR).log()  # [B, mels, frames]
        return 1 - 2 * log / math.log(FLOOR)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Complex [B, window / 2 + 1, L / hop]."""
        whole = torch.stft(
            wave, self.window, self.hop, window=self.hann, center=True, return_complex=True
        )
        return whole[:, :, :-1]

    def magnitudes(self, picture: Tensor) -> Tensor:
        """Magnitudes of the spectrum [B, window / 2 + 1, frames] that a picture tells."""
        mel = ((1 - picture.float()) / 2 * math.log(FLOOR)).exp() * (self.window / 4)
        mel = torch.where(picture <= -1 + 1e-3, torch.zeros_like(mel), mel)
        return (self.inverse @ mel).clamp_min(0)

    def wave(
        self, picture: Tensor, generator: torch.Generator, steps: int = 64, momentum: float = 0.99
    ) -> Tensor:
        """A waveform [B, L] in [-1, 1] of that picture; its first phases are drawn."""
        wanted = self.magnitudes(picture)
        shape = wanted.shape
        angles = torch.rand(shape, generator=generator, device=wanted.device) * (2 * math.pi)
        phases, before = torch.polar(torch.ones_like(wanted), angles), torch.zeros_like(wanted)
        length = shape[2] * self.hop
        for _ in range(steps):
            found = self.spectrum(self._inverted(wanted * phases, length))
            moved = found + momentum * (found - before)
            phases, before = moved / moved.abs().clamp_min(1e-8), found
        return self._inverted(wanted * phases, length).clamp(-1, 1)

    def _inverted(self, spectrum: Tensor, length: int) -> Tensor:
        last = torch.cat([spectrum, spectrum[:, :, -1:]], dim=2)  # the frame that was left out
        return torch.istft(last, self.window, self.hop, window=self.hann, length=length)


def mel_filters(rate: int, mels: int, bins: int) -> Tensor:
    """Triangles [mels, bins] whose corners are evenly spread over the mel scale (O'Shaughnessy
    1987: m = 2595 log10(1 + f / 700)); each sums to 1, so that it tells a mean magnitude."""
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (torch.linspace(0, highest, mels + 2, dtype=torch.float64) / 2595) - 1)
    frequencies = torch.linspace(0, rate / 2, bins, dtype=torch.float64)
    width = rate / 2 / (bins - 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rise = (frequencies - low) / (middle - low).clamp_min(width)
    fall = (high - frequencies) / (high - middle).clamp_min(width)
    filters = torch.minimum(rise, fall).clamp_min(0)
    nearest = (frequencies - middle).abs().argmin(1)  # a filter narrower than a bin keeps one
    filters[torch.arange(mels), nearest] = filters[torch.arange(mels), nearest].clamp_min(1e-3)
    return (filters / filters.sum(1, keepdim=True)).float()
