"""Turns what a sound file holds into samples of one channel at one rate."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from backends.datasets._clips import SILENT
from backends.datasets._files import head
from backends.datasets._folders import Skipped
from backends.datasets._resample import resample
from backends.datasets._sound_files import RATE

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc")
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


def sound_of(path: Path, data: bytearray, rate: int) -> Sound | Skipped:
    """The samples of a file, brought to ``rate`` Hz.

    Args:
        data: what :func:`backends.datasets._sound_files.send_sound` sends of it.
    """
    if len(data) <= RATE.size or (len(data) - RATE.size) % 4:
        return Skipped(path, "empty")
    (before,) = RATE.unpack_from(data)
    return _judged(
        path, torch.frombuffer(data, dtype=torch.float32, offset=RATE.size), before, rate
    )


def _judged(path: Path, samples: Tensor, before: int, rate: int) -> Sound | Skipped:
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
