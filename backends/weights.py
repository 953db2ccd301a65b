"""Weights of one model as the beginning of another, as far as they fit."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from backends.knobs import ConfigError
from backends.model import Model


@dataclass(frozen=True, slots=True)
class Fit:
    """Names of the tensors that two models share, and one sentence on it for the user."""

    names: list[str]
    sentence: str


def fitting(model: Model, weights: Path) -> Fit:
    """What ``model`` can take from a safetensors file: tensors of its own names and shapes.

    Only the file's header is read; ``model`` may be on the meta device.

    Raises:
        ConfigError: nothing fits, or the file cannot be read.
    """
    own, parameters = _own(model), dict(model.named_parameters())
    try:
        with safe_open(weights, "pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in _names(file)}
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"the weights {weights} cannot be read: {error}") from None
    names = [name for name, shape in shapes.items() if name in own and own[name].shape == shape]
    taken = [name for name in names if name in parameters]
    if not taken:
        raise ConfigError("none of those weights fits this model: start from a run of its own kind")
    told = f"{len(taken):,} of {len(parameters):,} weights are taken over"
    told += _listed("begun anew", sorted(set(parameters) - set(names)))
    return Fit(names, told + _listed("not used", _unused(shapes, own)))


@torch.no_grad()
def begin_with(model: Model, weights: Path) -> str:
    """Copies what fits from a safetensors file into ``model``; one sentence on what was taken."""
    fit, own = fitting(model, weights), _own(model)
    with safe_open(weights, "pt") as file:
        for name in fit.names:
            own[name].copy_(file.get_tensor(name))
    return fit.sentence


def _unused(shapes: dict[str, tuple[int, ...]], own: dict[str, Tensor]) -> list[str]:
    """What the file has and the model has not: where the name is known the shape is another."""
    strange = sorted(name for name in shapes if name not in own)
    other = sorted(name for name in shapes if name in own and own[name].shape != shapes[name])
    return [*(f"{name} of shape {list(shapes[name])}" for name in other), *strange]


def _listed(title: str, names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"; {title}: {', '.join(names[:3])}{more}" if names else ""


def _names(file: safe_open) -> list[str]:
    return list(file.keys())


def _own(model: Model) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
