"""The first VAE, with a fault at one of its steps: see faults/plugin.py."""

import math
import threading
import time

import torch
from faulty_plan import plan

from backends.model import Batch, Losses
from backends.vae.mlp import MLPVAE

SLOW_SECONDS = 0.02


class Faulty(MLPVAE):
    """Does at one step what it was told to, once or each time."""

    def loss(self, batch: Batch) -> Losses:
        if plan.kind == "slow":
            time.sleep(SLOW_SECONDS)
        elif self.training and plan.kind == "nan" and plan.is_due(batch.progress, len(batch.x)):
            return {name: math.nan * term for name, term in super().loss(batch).items()}
        elif self.training and plan.kind in _FAULTS and plan.is_due(batch.progress, len(batch.x)):
            _FAULTS[plan.kind]()
        return super().loss(batch)


def _hang() -> None:
    threading.Event().wait()


def _spin() -> None:
    while True:
        torch.ones(8).sum()


def _device_full() -> None:
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB "
        "of which 1.50 GiB is free."
    )


def _eat() -> None:
    """Fills the memory, a piece at a time and each written to, until somebody says no."""
    pieces: list[torch.Tensor] = []
    while True:
        pieces.append(torch.ones(1 << 22))


def _ask_too_much() -> None:
    torch.empty(1 << 44)


_FAULTS = {"hang": _hang, "spin": _spin, "full": _device_full, "eat": _eat, "ask": _ask_too_much}
