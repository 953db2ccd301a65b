"""Sounds as pictures of any size: a waveform over its spectrogram. NumPy, no player."""

import math
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genai_tui.differences import Picture, heat_colours
from genai_tui.regular import opened

MOST_SAMPLES = 4_000_000
"""Of a longer sound the beginning is drawn: a minute and a half at 44.1 kHz."""
FLOOR = -80.0
"""Decibels below full scale that are drawn as nothing."""
WINDOW_SECONDS = 0.032
"""Of sound for each column of a spectrogram: fine enough for a drum, long enough for a low tone."""
_INK, _AXIS, _BACK = (120, 200, 255), (40, 52, 64), (0, 0, 0)
_WAVE_SHARE = 0.4


class SoundError(ValueError):
    """A file that is no sound; the message is one sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples in [-1, 1], the mean of all channels, at ``rate`` a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def peak(self) -> float:
        """The loudest sample in decibels of full scale; -inf of silence."""
        loudest = float(np.abs(self.samples).max(initial=0.0))
        return 20 * math.log10(loudest) if loudest else -math.inf

    @property
    def caption(self) -> str:
        """What the picture shows, with its scales."""
        peak = f"{self.peak:z.1f} dB" if math.isfinite(self.peak) else "silence"
        return (
            f"{self.seconds:.2f} s · {self.rate:,} Hz · peak {peak} · "
            f"spectrogram 0 to {self.rate / 2000:g} kHz, black {FLOOR:.0f} dB to yellow 0 dB"
        )


def read(path: Path) -> Sound:
    """Reads a WAV file of whole numbers.

    Raises:
        SoundError: it cannot be read as one.
    """
    try:
        with opened(path) as file, wave.open(file) as sound:
            width, channels, rate = (
                sound.getsampwidth(),
                sound.getnchannels(),
                sound.getframerate(),
            )
            data = sound.readframes(min(sound.getnframes(), MOST_SAMPLES // max(1, channels)))
    except (OSError, EOFError, wave.Error, RuntimeError, ValueError) as error:
        raise SoundError(f"{path.name} cannot be read as a sound: {error}.") from None
    if not channels or not rate:
        raise SoundError(f"{path.name} cannot be read as a sound: it has no rate.")
    frames = _numbers(data[: len(data) // (width * channels) * width * channels], width)
    return Sound(frames.reshape(-1, channels).mean(axis=1, dtype=np.float32), rate)


def draw(sound: Sound, width: int, height: int) -> Picture:
    """The waveform over its spectrogram in ``width`` x ``height`` pixels, both at least 8."""
    width, height = max(8, width), max(8, height)
    above = max(3, round(height * _WAVE_SHARE))
    if not len(sound.samples):
        return np.zeros((height, width, 3), np.uint8)
    gap = np.zeros((1, width, 3), np.uint8)
    spectrum = _spectrogram(sound.samples, sound.rate, width, height - above - 1)
    return np.concatenate([_outline(sound.samples, width, above), gap, spectrum])


def _numbers(data: bytes, width: int) -> NDArray[np.float32]:
    """Samples of 1 to 4 bytes, little-endian, as shares of full scale."""
    if width == 1:  # the one width that WAV keeps without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    if width == 3:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(parts), 4), np.uint8)
        padded[:, 1:] = parts
        return (padded.view("<i4")[:, 0] / 2**31).astype(np.float32)
    whole = np.frombuffer(data, f"<i{width}")
    return (whole / 2 ** (8 * width - 1)).astype(np.float32)


def _outline(samples: NDArray[np.float32], width: int, height: int) -> Picture:
    """From the least to the greatest sample of each column."""
    begins = (np.arange(width) * len(samples)) // width
    middle = (height - 1) / 2
    top = (middle * (1 - np.maximum.reduceat(samples, begins))).round()
    bottom = (middle * (1 - np.minimum.reduceat(samples, begins))).round()
    rows = np.arange(height)[:, None]
    picture = np.full((height, width, 3), _BACK, np.uint8)
    picture[height // 2] = _AXIS
    picture[(rows >= top) & (rows <= bottom)] = _INK
    return picture


def _spectrogram(samples: NDArray[np.float32], rate: int, width: int, height: int) -> Picture:
    """Decibels over time, the lowest frequency at the bottom."""
    window = 2 ** round(math.log2(min(4096, max(64, WINDOW_SECONDS * rate))))
    half = window // 2
    padded = np.pad(samples, (half, half))
    begins = np.linspace(0, len(samples), width, endpoint=False).astype(int)
    frames = padded[begins[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) ** 2 / (window / 4) ** 2  # [W, half]
    edges = np.arange(height) * half // height
    rows = np.maximum.reduceat(power, edges, axis=1).T[::-1]  # [H, W]
    decibels = 10 * np.log10(rows.clip(1e-12))
    return heat_colours(1 - decibels.clip(FLOOR, 0) / FLOOR)
