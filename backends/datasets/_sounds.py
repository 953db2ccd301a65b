"""Turns one sound file of any kind into samples of one channel at one rate."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from backends.datasets._clips import SILENT
from backends.datasets._files import head, open_regular
from backends.datasets._folders import Skipped
from backends.datasets._resample import resample

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc")
SAMPLES = 2**27
"""A longer sound, 47 minutes at 48 kHz, is not decoded: a file of some kB can claim any length."""

_RATES = range(1000, 768_001)
_CHANNELS = 64
_BLOCK = 2**16

_FULL, _RUN, _CLIPPED = 0.999, 3, 1e-3
"""Samples this near to full scale, so many in a row, are clipped; this share of them is much."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A file's samples [T] in [-1, 1], and whether its peaks are cut off."""

    samples: Tensor
    clipped: bool


def is_sound(path: Path) -> bool:
    """By the ending of its name; a file without one is looked into."""
    return path.suffix.lower() in SUFFIXES if path.suffix else looks_like_sound(head(path))


def looks_like_sound(begin: bytes) -> bool:
    """Whether a file that begins with ``begin`` is of a common sound format."""
    wave = begin[:4] == b"RIFF" and begin[8:12] == b"WAVE"
    aiff = begin[:4] == b"FORM" and begin[8:12] in (b"AIFF", b"AIFC")
    return wave or aiff or begin.startswith((b"fLaC", b"OggS", b"ID3"))


def hear(path: Path, rate: int) -> Sound | Skipped:
    """The mean of all channels of a file, brought to ``rate`` Hz."""
    try:
        with open_regular(path, follow=False) as file, soundfile.SoundFile(file) as sound:
            if sound.samplerate not in _RATES or sound.channels > _CHANNELS:
                odd = f"{sound.channels} channels at {sound.samplerate} Hz"
                return Skipped(path, odd)
            samples, before = _mono(sound), sound.samplerate
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        return Skipped(path, "damaged")
    if samples is None:
        return Skipped(path, f"longer than {SAMPLES:,} samples")
    return _judged(path, samples, before, rate)


def _mono(sound: soundfile.SoundFile) -> Tensor | None:
    """All samples [T] of a file; None if there are too many."""
    parts, count = [np.zeros(0, np.float32)], 0
    while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
        parts.append(block.mean(1))
        count += len(block)
        if count > SAMPLES:
            return None
    return torch.from_numpy(np.concatenate(parts))


def _judged(path: Path, samples: Tensor, before: int, rate: int) -> Sound | Skipped:
    if not len(samples):
        return Skipped(path, "empty")
    if not samples.isfinite().all():
        return Skipped(path, "not finite")
    if samples.abs().amax() <= SILENT:
        return Skipped(path, "silent")
    clipped = _clipped(samples) > _CLIPPED
    return Sound(resample(samples.clamp(-1, 1), before, rate).clamp(-1, 1), clipped)


def _clipped(samples: Tensor) -> float:
    """Share of the samples that stand at full scale with their neighbours on both sides."""
    if len(samples) < _RUN:
        return 0.0
    full = (samples.abs() >= _FULL).float()[None, None]
    runs = torch.nn.functional.avg_pool1d(full, _RUN, 1)  # 1 where a run begins
    return float((runs > 1 - 1e-6).float().mean())
