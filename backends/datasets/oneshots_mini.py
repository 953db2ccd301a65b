"""98 drum and percussion one-shots of half a second, in six classes: CC0, embedded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from backends.data import Dataset, held_out
from backends.datasets import _embedded
from backends.datasets._clips import clip_dataset, windows
from backends.datasets._resample import resample
from backends.knobs import Bounds
from backends.nets import mulaw

MODALITY = "audio"
EMBEDDED = True
NEEDS_PATH = False

_RATE = 16_000


@dataclass(frozen=True, kw_only=True)
class Config:
    rate: Annotated[int, "samples a second", Bounds(2000, _RATE, "Hz")] = 8000
    length: Annotated[int, "samples of a clip; the rest is cut off", Bounds(256, 2**14)] = 4096


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Each sound from its beginning; its class is the first part of its name."""
    index: list[tuple[str, int]] = json.loads(_embedded.raw("oneshots98.index.json"))
    codes = torch.frombuffer(bytearray(_embedded.raw("oneshots98.16k.mulaw")), dtype=torch.uint8)
    sounds = mulaw.decode(codes.long()).split([count for _, count in index])
    brought = [resample(sound, _RATE, config.rate) for sound in sounds]
    names = [name.partition("_")[0] for name, _ in index]
    classes = sorted(set(names))
    held = np.zeros(len(names), bool)
    held[held_out(len(names), validation)[1].numpy()] = True
    return clip_dataset(
        np.concatenate([windows(sound[: config.length], config.length) for sound in brought]),
        np.array([classes.index(name) for name in names]),
        tuple(classes),
        held,
        rate=config.rate,
        where="oneshots-mini",
    )
