"""The VAE of pythae with its own training pipeline and samplers: batch 100, 10 latents."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig, NormalSampler
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor

from benchmarks.quality.budget import Budget, BudgetSpentError
from benchmarks.quality.trained import Drawn, Trained

COMPONENTS = 20


class Clock(TrainingCallback):
    """Counts steps, and ends the training when the budget is spent."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.steps = budget, 0

    def on_train_step_end(self, training_config: BaseTrainerConfig, **_: object) -> None:
        self.steps += 1
        self.budget.check()


def run(
    images: Tensor, settings: Mapping[str, str], _: Path, folder: Path, budget: Budget
) -> Trained:
    """Trains on ``images`` [N, C, H, W]; ``settings["sampler"]`` is "normal" or "mixture"."""
    logging.disable(logging.CRITICAL)
    x = (images + 1) / 2
    model = VAE(VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=10))
    config = BaseTrainerConfig(
        output_dir=str(folder / "pythae"),
        num_epochs=10**6,
        learning_rate=1e-3,
        per_device_train_batch_size=100,
        seed=torch.initial_seed() % 2**31,
        no_cuda=True,
    )
    clock = Clock(budget)
    try:
        TrainingPipeline(model=model, training_config=config)(train_data=x, callbacks=[clock])
    except BudgetSpentError:
        model.eval()
    sampler = NormalSampler(model)
    if settings["sampler"] == "mixture":
        sampler = GaussianMixtureSampler(
            model, GaussianMixtureSamplerConfig(n_components=COMPONENTS)
        )
        sampler.fit(x)

    def draw(count: int) -> Drawn:
        return Drawn(2 * sampler.sample(num_samples=count) - 1)

    return Trained(draw, clock.steps, sum(p.numel() for p in model.parameters()))
