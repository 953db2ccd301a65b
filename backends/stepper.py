"""One training step: a batch, each phase's turn, the average of the weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from backends import seeds
from backends.compilation import Loss
from backends.feed import Feed
from backends.knobs import ConfigError
from backends.model import Batch, Phase
from backends.pace import due, learning_rate
from backends.precision import Numerics
from backends.recipe import TrainConfig
from backends.state import TrainState


@dataclass(slots=True)
class Stepper:
    """Everything that a step needs; ``losses`` are those of the phases, compiled or not."""

    state: TrainState
    losses: Sequence[Loss]
    feed: Feed
    numerics: Numerics
    seed: int

    def step(self, config: TrainConfig, step: int) -> dict[str, Tensor]:
        """Takes the step after ``step`` steps; the terms to log."""
        state = self.state
        if not state.model.training:  # train() walks all modules
            state.model.train()
        batches = self.batches(config, step)
        seeds.reseed(seeds.seed_of(self.seed, step, "dropout"), batches[0].x.device)
        terms: dict[str, Tensor] = {}
        for index, phase in enumerate(state.phases):
            if step % phase.every == 0:
                terms |= self._turn(index, phase, batches, config, step)
        return terms

    def batches(self, config: TrainConfig, step: int) -> list[Batch]:
        """The step's batch, in the micro-batches that it is computed in."""
        x, y = self.feed.batch(step)
        noise = seeds.generator(self.seed, step, "noise", x.device)
        x, progress = self.numerics.arrange(x), step / config.steps
        if config.accumulate == 1:
            return [Batch(x, y, noise, progress)]
        size = len(x) // config.accumulate
        return [
            Batch(x[i : i + size], None if y is None else y[i : i + size], noise, progress, i)
            for i in range(0, len(x), size)
        ]

    def _turn(
        self, index: int, phase: Phase, batches: Sequence[Batch], config: TrainConfig, step: int
    ) -> dict[str, Tensor]:
        """One optimizer's turn; its terms under the names that are logged."""
        optimizer = self.state.optimizers[index]
        self.state.focus(phase)
        optimizer.zero_grad(set_to_none=True)
        terms = self._backward(self.losses[index], batches)
        if _needs_norm(config, phase, step):
            terms["grad_norm"] = _clipped(self.state.weights[index], config.clip_grad)
        lr = learning_rate(config, step) * phase.lr
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        optimizer.step()
        if phase.after is not None:
            with torch.no_grad():
                phase.after()
        if config.nan_policy == "rollback":  # whether it was this very step that spoilt them
            terms["weight_norm"] = get_total_norm([w.detach() for w in self.state.weights[index]])
        return {f"{phase.name}/{name}" if phase.name else name: v for name, v in terms.items()}

    def _backward(self, loss: Loss, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Gradients of the mean over the micro-batches, and the means of the terms."""
        share, totals = 1 / len(batches), dict[str, Tensor]()
        for batch in batches:
            with self.numerics.autocast(batch.x.device):
                losses = loss(batch)
            if len(batches) == 1:
                losses["loss"].backward()
                return dict(losses)
            (losses["loss"] * share).backward()
            for name, value in losses.items():
                part = value.detach() * share
                totals[name] = totals[name] + part if name in totals else part
        return totals


def _needs_norm(config: TrainConfig, phase: Phase, step: int) -> bool:
    """Whether a turn measures its gradients. That takes a pass over all of them: without a limit to
    keep it is done where the step is logged, and in the rare turns that may miss those steps."""
    logged = due(step + 1, config.log_every) or step + 1 == config.steps
    blamed = config.nan_policy == "rollback"  # the batch of the step that spoilt the weights
    return bool(config.clip_grad) or phase.every > 1 or logged or blamed


def _clipped(weights: Sequence[nn.Parameter], limit: float) -> Tensor:
    """The global norm of the gradients, which are scaled down to ``limit`` if there is one."""
    if limit:
        return clip_grad_norm_(weights, limit)
    return get_total_norm([w.grad for w in weights if w.grad is not None])


def check_accumulation(config: TrainConfig) -> None:
    """Raises ConfigError where a batch cannot be cut into equal micro-batches."""
    if config.batch_size % config.accumulate:
        raise ConfigError(
            f"batch_size {config.batch_size} cannot be cut into {config.accumulate} equal "
            "micro-batches: make batch_size a multiple of accumulate"
        )
