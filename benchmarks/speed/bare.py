"""The loop that anybody would write around the same networks: the floor of ours."""

from collections.abc import Callable

import torch

from backends.data import Dataset
from backends.model import Batch, Model
from backends.recipe import TrainConfig
from backends.state import TrainState

CPU = torch.device("cpu")
WEIGHT = 0.01
"""Share of the new weights in their average; any will do."""


def bare(
    model: Model, dataset: Dataset, config: TrainConfig, device: torch.device = CPU
) -> Callable[[], None]:
    """One step a call, in float32: batch, then of each phase loss, backward, clip and optimizer,
    then the average of the weights. Nothing is logged, scheduled or kept to be resumed."""
    model.to(device)
    state, source = TrainState(model, config), dataset.to(device).train
    model.train()
    learning = [[p for p in ph.module.parameters() if p.requires_grad] for ph in state.phases]
    averages: list[torch.Tensor] = list(state.ema.parameters()) if state.ema is not None else []
    values: list[torch.Tensor] = list(model.parameters())
    generator = torch.Generator(device).manual_seed(0)
    steps = iter(range(10**9))

    def step() -> None:
        number = next(steps)
        chosen = torch.randint(len(source), (config.batch_size,))
        x, y = source.fetch(chosen, chosen, 0)
        batch = Batch(x, y, generator)
        for index, phase in enumerate(state.phases):
            if number % phase.every:
                continue
            if len(learning) > 1:
                _let_learn(learning, index)
            state.optimizers[index].zero_grad(set_to_none=True)
            phase.loss(batch)["loss"].backward()
            if config.clip_grad:
                torch.nn.utils.clip_grad_norm_(learning[index], config.clip_grad)
            state.optimizers[index].step()
            if phase.after is not None:
                with torch.no_grad():
                    phase.after()
        if averages:
            with torch.no_grad():
                torch._foreach_lerp_(averages, values, WEIGHT)  # pyright: ignore[reportPrivateImportUsage]

    return step


def _let_learn(learning: list[list[torch.nn.Parameter]], index: int) -> None:
    """Only the weights of one turn need gradients: half a step of a GAN is spared."""
    for others in learning:
        _set(others, False)
    _set(learning[index], True)


def _set(parameters: list[torch.nn.Parameter], wanted: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(wanted)
