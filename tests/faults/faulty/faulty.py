"""A model that somebody else's package adds, and that dies in its third step, each time anew.

``GENAI_TUI_TEST_DEATH`` says how: "exit", "abort", or "segfault".
"""

import ctypes
import os

from backends.model import Batch, Losses
from backends.vae.mlp import MLPVAE, Config

__all__ = ["Config", "Faulty"]

FATAL_STEP = 3


class Faulty(MLPVAE):
    """The first VAE, with a bug."""

    def __init__(self, config: Config, shape: object) -> None:
        super().__init__(config, shape)  # pyright: ignore[reportArgumentType]
        self.calls = 0

    def loss(self, batch: Batch) -> Losses:
        self.calls += 1
        if self.calls == FATAL_STEP:
            _die(os.environ.get("GENAI_TUI_TEST_DEATH", "exit"))
        return super().loss(batch)


def _die(how: str) -> None:
    if how == "exit":
        print("the third step went wrong", flush=True)
        os._exit(3)
    if how == "abort":
        os.abort()
    ctypes.string_at(0)
