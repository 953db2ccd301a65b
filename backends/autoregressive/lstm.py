"""LSTM: a recurrent network with gated memory that writes text, token by token.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; as a language model: Sundermeyer 2012.
"""

from typing import Any, ClassVar

import torch
from torch import nn

from backends.autoregressive._recurrent import Config, Recurrent
from backends.model import DataShape

__all__ = ["LSTM", "Config"]


class LSTM(Recurrent):
    """c_t = f ⊙ c_(t-1) + i ⊙ g, h_t = o ⊙ tanh(c_t), with gates i, f, o of x_t and h_(t-1)."""

    Cell = nn.LSTM
    states: ClassVar[int] = 2  # h and c

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        with torch.no_grad():
            for name, bias in self.cells.named_parameters():
                if name.startswith("bias"):
                    bias.zero_()
                if name.startswith("bias_ih"):  # i, f, g, o: forget little at first (Gers 2000)
                    bias[config.width : 2 * config.width] = 1.0
