"""The optimizers that a phase's weights can be moved by."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from backends.recipe import TrainConfig

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, whose slope at zero is steep."""


def optimizer_of(
    module: nn.Module, config: TrainConfig, precision: str = "float32"
) -> torch.optim.Optimizer:
    """The optimizer of all parameters of ``module``, as ``config`` wants it.

    A group's rate is the loop's times its own ``lr_scale`` (1 where it has none). ``precision`` is
    that of the networks; muon multiplies its matrices in it.
    """
    parameters = list(module.parameters())
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=config.lr, alpha=config.beta2, foreach=True)
    if config.optimizer == "muon":
        return Muon(module, config, torch.bfloat16 if precision == "bfloat16" else torch.float32)
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


class Muon(torch.optim.Optimizer):
    """Steps of orthogonal matrices (Jordan et al. 2024, "Muon"), and AdamW for all else.

    The Nesterov momentum of a matrix, with its singular values pulled to about 1, is its step. What
    is no matrix, and tables of tokens (embeddings, and the heads that are written as such), follow
    AdamW at the loop's rate; matrices at ``matrix_lr`` times that.
    """

    def __init__(self, module: nn.Module, config: TrainConfig, dtype: torch.dtype) -> None:
        self.dtype = dtype
        matrices, others = _sorted(module)
        adam = {"betas": (config.beta1, config.beta2), "fused": True, "weight_decay": 0.0}
        groups: list[dict[str, Any]] = [
            {"params": matrices, "lr_scale": config.matrix_lr, "weight_decay": config.weight_decay},
            {"params": others, "lr_scale": 1.0, **adam},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": config.lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if moved:
                (self._adam if "betas" in group else self._orthogonal)(group, moved)

    def _orthogonal(self, group: dict[str, Any], moved: list[nn.Parameter]) -> None:
        for p in moved:
            if not self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        gradients: list[Any] = [p.grad for p in moved]
        momenta = [self.state[p]["momentum"] for p in moved]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)  # pyright: ignore[reportPrivateImportUsage]
        nesterov = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # pyright: ignore[reportPrivateImportUsage]
        if group["weight_decay"]:
            torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])  # pyright: ignore
        for p, step in zip(moved, orthogonal(nesterov, self.dtype), strict=True):
            rows = p.shape[0]
            p.add_(step, alpha=-group["lr"] * max(1.0, rows * rows / p.numel()) ** 0.5)

    def _adam(self, group: dict[str, Any], moved: list[nn.Parameter]) -> None:
        for p in moved:
            if not self.state[p]:
                self.state[p]["step"] = torch.zeros((), dtype=torch.float32, device=p.device)
                self.state[p]["exp_avg"] = torch.zeros_like(p)
                self.state[p]["exp_avg_sq"] = torch.zeros_like(p)
        states = [self.state[p] for p in moved]
        parameters: list[Any] = list(moved)
        adamw(
            parameters,
            [p.grad for p in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=moved[0].device.type in ("cpu", "cuda"),
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def _sorted(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices, all other parameters) of a module; kernels of convolutions are matrices too."""
    tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    matrices, others = [], []
    for p in module.parameters():
        flat = p.dim() < 2 or min(p.shape[0], p[0].numel()) == 1
        (others if flat or id(p) in tables else matrices).append(p)
    return matrices, others


def orthogonal(matrices: Sequence[Tensor], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Each of ``matrices`` with its singular values pulled to about 1: U Vᵀ for U Σ Vᵀ.

    Matrices of one shape, lying or standing, are computed in one batch.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, x in enumerate(matrices):
        alike.setdefault(tuple(sorted((x.shape[0], x[0].numel()))), []).append(index)
    found: list[Tensor] = list(matrices)
    for indices in alike.values():
        done = newton_schulz(torch.stack([_lying(matrices[i]).to(dtype) for i in indices]))
        for i, x in zip(indices, done.to(matrices[0].dtype), strict=True):
            like = matrices[i]
            lies = like.shape[0] <= like[0].numel()
            found[i] = (x if lies else x.T).reshape(like.shape)
    return found


def _lying(x: Tensor) -> Tensor:
    """``x`` as a matrix with no more rows than columns."""
    flat = x.reshape(len(x), -1)
    return flat if flat.shape[0] <= flat.shape[1] else flat.T


def newton_schulz(x: Tensor, steps: int = 5) -> Tensor:
    """U Vᵀ of every U Σ Vᵀ in ``x`` [K, r, c], r <= c, but for singular values of 0.7 to 1.2."""
    a, b, c = NEWTON_SCHULZ
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x
