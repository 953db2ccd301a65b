"""Our training loop as something that takes so many steps when it is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from backends import catalogue, records
from backends.data import Dataset, Images
from backends.model import DataShape, Model
from backends.recipe import TrainConfig
from backends.records import PlanRequest, RunSpec
from backends.training import Job, train

CPU = torch.device("cpu")
QUIET = {
    "steps": 10**6,
    "sample_every": 0,
    "validate_every": 0,
    "checkpoint_every": 0,
    "checkpoint_minutes": 0.0,
    "threads": 1,
}
"""Nothing but steps and the points that they log."""


class Loop:
    """``backends.training.train()``, advanced by ``stride`` steps a call."""

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        folder: Path,
        config: TrainConfig,
        stride: int = 1,
        device: torch.device = CPU,
    ) -> None:
        self._records = train(
            Job(model=model, dataset=dataset, config=config, folder=folder, device=device)
        )
        self._stride, self.steps, self._saved = stride, 0, False

    def __call__(self) -> None:
        self.steps += self._stride
        for record in self._records:
            self._saved = self._saved or isinstance(record, records.Checkpoint)
            if isinstance(record, records.Step) and record.step >= self.steps:
                return
        raise RuntimeError("the training ended early")

    def settle(self, steps: int) -> None:
        """Takes at least so many steps, until the checkpoint of step 0 is no longer written."""
        while self.steps < steps or not self._saved:
            self()


def config_of(model: Model, stride: int = 1, **changes: Any) -> TrainConfig:
    """The recipe of a model with everything off that is not a step; logs once a stride."""
    recipe = dict(type(model).recipe_for(model.config))
    return TrainConfig(**{**recipe, **QUIET, "log_every": stride, **changes})


def opened(name: str, settings: Mapping[str, str]) -> tuple[Model, Dataset]:
    """A model of the catalogue, untrained, on its default data."""
    plan = catalogue.plan(PlanRequest(model=name, settings=dict(settings)))
    if plan.error:
        raise RuntimeError(plan.error)
    spec = RunSpec(
        id="speed",
        name="speed",
        model=name,
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
        created=0.0,
    )
    model, dataset, _ = catalogue.open_spec(spec)
    return model, dataset


def parameters(module: torch.nn.Module) -> str:
    """How many it has, in words: "2.61 M parameters"."""
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters"


def noise(side: int, count: int = 1024) -> Dataset:
    """Pictures [count, 1, side, side] of nothing: steps take as long on them."""
    pixels = torch.randint(0, 256, (count, 1, side, side), dtype=torch.uint8)
    return Dataset(DataShape("image", (1, side, side)), Images(pixels), Images(pixels[:64]))
