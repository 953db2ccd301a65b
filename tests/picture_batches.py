"""Small pictures, batches, samples and trainings for the tests of models of pictures."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from backends.model import Batch, Model, Samples
from backends.records import SampleRequest

Net = TypeVar("Net", bound=nn.Module)
CLASSES = ("one", "two", "three")


def pictures(count: int, channels: int = 1, height: int = 16, width: int = 16) -> Tensor:
    """Bright squares of various places and sides on black, on the 256 levels."""
    noise = torch.Generator().manual_seed(7)
    x, side = torch.full((count, channels, height, width), -1.0), min(height, width)
    for picture in x:
        top, left = torch.randint(0, side // 2, (2,), generator=noise).tolist()
        size = int(torch.randint(side // 4, side // 2, (1,), generator=noise))
        picture[:, top : top + size, left : left + size] = 0.6
    return x.add(1).mul(127.5).round().div(127.5).sub(1)


def batch_of(x: Tensor, seed: int = 0, progress: float = 0.5, labelled: bool = True) -> Batch:
    y = torch.arange(len(x)) % len(CLASSES) if labelled else None
    return Batch(x, y, torch.Generator().manual_seed(seed), progress)


def drawn(model: Model, seed: int = 0, **asked: object) -> Samples:
    """Samples in eval mode, six unless asked otherwise."""
    request = SampleRequest(**{"count": 6, "seed": seed, **asked})  # pyright: ignore[reportArgumentType]
    model.check(request)
    with torch.no_grad():
        return model.eval().sample(request, torch.Generator().manual_seed(seed))


def draw(model: Model, seed: int = 0, **asked: object) -> Tensor:
    found = drawn(model, seed, **asked).images
    assert found is not None
    return found


def stir(net: Net) -> Net:
    """Moves weights that start at zero, so that everything that can matter does."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
    return net


def check_turns(model: Model, batch: Batch) -> None:
    """Every turn's terms are finite numbers, and its gradient reaches all of its weights."""
    for phase in model.phases():
        model.requires_grad_(False)
        phase.module.requires_grad_(True)
        losses = phase.loss(batch)
        assert all(term.shape == () and math.isfinite(term.item()) for term in losses.values())
        losses["loss"].backward()
        for weight, parameter in phase.module.named_parameters():
            assert parameter.grad is not None, f"{phase.name} {weight} gets no gradient"
            assert parameter.grad.isfinite().all()


def train(model: Model, x: Tensor, steps: int, lr: float = 3e-3) -> None:
    """Adam without momentum, always on ``x``, from the beginning of the training to its end."""
    phases = model.train().phases()
    optimizers = [torch.optim.Adam(phase.module.parameters(), lr, (0.0, 0.99)) for phase in phases]
    for step in range(steps):
        for phase, optimizer in zip(phases, optimizers, strict=True):
            model.requires_grad_(False)
            phase.module.requires_grad_(True)
            optimizer.zero_grad()
            phase.loss(batch_of(x, seed=step, progress=step / steps))["loss"].backward()
            optimizer.step()
