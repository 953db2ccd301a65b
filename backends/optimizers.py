"""The optimizers that a phase's weights can be moved by."""

from typing import Any

import torch
from torch import nn

from backends.recipe import TrainConfig


def optimizer_of(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of all parameters of ``module``, as ``config`` wants it.

    A group's rate is the loop's times its own ``lr_scale`` (1 where it has none).
    """
    parameters = list(module.parameters())
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=config.lr, alpha=config.beta2, foreach=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    return kind(
        _groups(parameters, decay),
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        fused=parameters[0].device.type in ("cpu", "cuda"),
    )


def _groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices decay; gains, biases and other vectors do not (Loshchilov & Hutter's practice)."""
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
