"""What a training is given: a model, data, knobs, a folder, and ways to be spoken to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from backends.data import Dataset
from backends.model import Model
from backends.recipe import TrainConfig
from backends.records import Command, Phase


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to train, on what, and where its files go.

    Attributes:
        inbox: commands that have come since the last call; asked at the end of every step.
        barrier: makes all records durable; called before a checkpoint gets its name.
        finish: takes a folder of a checkpoint or of samples when all is in it, before its name.
        progress: takes how far a phase is while it lasts, a few times a second.
        meta: kept in every checkpoint, untouched: what is needed to build the model again.
    """

    model: Model
    dataset: Dataset
    config: TrainConfig
    folder: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    inbox: Callable[[], Iterable[Command]] = tuple
    barrier: Callable[[], None] = lambda: None
    finish: Callable[[Path], None] = lambda _: None
    progress: Callable[[Phase], None] = lambda _: None
    meta: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
