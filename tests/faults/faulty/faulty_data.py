"""The embedded pictures, from a loader that never returns one of its batches, of those it learns
from ("loader") or of those held out ("validation")."""

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from faulty_plan import plan
from torch import Tensor

from backends.data import Dataset, Source
from backends.datasets import fashion_mini

MODALITY, EMBEDDED, NEEDS_PATH = fashion_mini.MODALITY, True, False
Config = fashion_mini.Config


@dataclass(slots=True)
class Stuck(Source):
    """Reads ahead, as a source does that is too large for memory."""

    source: Source
    kind: str
    fetched: int = 0

    @property
    def streams(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.source)

    def fetch(
        self, indices: Tensor, seeds: Tensor, epoch_seed: int
    ) -> tuple[Tensor, Tensor | None]:
        self.fetched += 1
        if plan.kind == self.kind and self.fetched > plan.step and plan.comes(len(indices)):
            threading.Event().wait()
        return self.source.fetch(indices, seeds, epoch_seed)

    def to(self, device: torch.device) -> "Stuck":
        return self


def load(config: fashion_mini.Config, path: Path | None, validation: float) -> Dataset:
    dataset = fashion_mini.load(config, path, validation)
    held_out = Stuck(dataset.validation, "validation")
    return replace(dataset, train=Stuck(dataset.train, "loader"), validation=held_out)
