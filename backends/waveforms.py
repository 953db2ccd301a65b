"""Sounds as files and as pictures: a waveform over its spectrogram, for a screen without a speaker.

NumPy alone, so that the same sound gives the same bytes everywhere.
"""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, WAVE, SPECTRUM, GAP = 126, 38, 56, 2
"""Pixels of a tile: columns, rows of the waveform, rows of the spectrogram under it, and what
keeps a tile from the next one and from the one below."""

FLOOR = -80.0
"""Decibels below full scale that are drawn as nothing."""

_WINDOW = 256
_INK, _AXIS = (120, 200, 255), (40, 52, 64)
_HEAT = np.array(
    [(0, 0, 4), (51, 16, 104), (136, 34, 106), (212, 72, 66), (251, 155, 6), (252, 255, 164)],
    np.float64,
)
"""Colours from silence to full scale, ever brighter."""

Wave = NDArray[np.floating]
Picture = NDArray[np.uint8]


def save(path: Path, sound: Wave, rate: int) -> None:
    """Writes ``sound`` [L] in [-1, 1] as a WAV file of one channel, 16 bits; what is outside is
    clipped."""
    pcm = (np.nan_to_num(sound).clip(-1, 1) * 32767).round().astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())


def tile(sound: Wave) -> Picture:
    """The picture [WAVE + SPECTRUM + GAP, WIDTH + GAP, 3] of ``sound`` [L] in [-1, 1]."""
    sound = np.nan_to_num(np.asarray(sound, np.float64)).clip(-1, 1)
    both = np.concatenate([outline(sound), spectrogram(sound)])
    return np.pad(both, ((0, GAP), (0, GAP), (0, 0)))


def outline(sound: Wave) -> Picture:
    """The waveform [WAVE, WIDTH, 3]: from the least to the greatest sample of each column."""
    begins = (np.arange(WIDTH) * len(sound)) // WIDTH
    middle = (WAVE - 1) / 2
    top = (middle * (1 - np.maximum.reduceat(sound, begins))).round()
    bottom = (middle * (1 - np.minimum.reduceat(sound, begins))).round()
    rows = np.arange(WAVE)[:, None]
    picture = np.zeros((WAVE, WIDTH, 3), np.uint8)
    picture[WAVE // 2] = _AXIS
    picture[(rows >= top) & (rows <= bottom)] = _INK
    return picture


def spectrogram(sound: Wave) -> Picture:
    """Decibels over time [SPECTRUM, WIDTH, 3], the lowest frequency at the bottom."""
    half = _WINDOW // 2
    padded = np.pad(sound, (half, half))
    begins = np.linspace(0, len(sound), WIDTH, endpoint=False).astype(int)
    frames = padded[begins[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) ** 2 / (_WINDOW / 4) ** 2
    edges = np.linspace(0, half, SPECTRUM + 1).astype(int)
    rows = np.maximum.reduceat(power, edges[:-1], axis=1).T[::-1]  # [SPECTRUM, WIDTH]
    decibels = 10 * np.log10(rows.clip(1e-12))
    return _heat(1 - decibels.clip(FLOOR, 0) / FLOOR)


def _heat(share: NDArray[np.float64]) -> Picture:
    """Shares in [0, 1] as colours."""
    stops = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(share, stops, _HEAT[:, i]) for i in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
