"""Reads sound files of any kind, a piece at a time. It needs no PyTorch."""

import struct
from collections.abc import Callable
from pathlib import Path

import soundfile

from backends.datasets._files import open_regular

SAMPLES = 2**27
"""A longer sound, 47 minutes at 48 kHz, is not decoded: a file of some kB can claim any length."""

RATE = struct.Struct("<I")
"""What stands before the samples, which are float32 in this machine's order."""

MOST_BYTES = RATE.size + 4 * SAMPLES
"""That are sent of a file."""

_RATES = range(1000, 768_001)
_CHANNELS = 64
_VALUES = 2**18  # that are read at a time


def send_sound(path: Path, send: Callable[[bytes], None]) -> str:
    """Sends the rate of a file and the mean of its channels; says why it cannot, or nothing."""
    try:
        with open_regular(path, follow=False) as file, soundfile.SoundFile(file) as sound:
            if sound.samplerate not in _RATES or sound.channels > _CHANNELS:
                return f"{sound.channels} channels at {sound.samplerate} Hz"
            send(RATE.pack(sound.samplerate))
            return _send_samples(sound, send)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        return "damaged"


def _send_samples(sound: soundfile.SoundFile, send: Callable[[bytes], None]) -> str:
    count = 0
    while len(block := sound.read(_VALUES // sound.channels, dtype="float32", always_2d=True)):
        count += len(block)
        if count > SAMPLES:
            return f"longer than {SAMPLES:,} samples"
        send(block.mean(1).tobytes())
    return ""
