"""GRU: a recurrent network of two gates that writes text, token by token.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder".
"""

from typing import ClassVar

from torch import nn

from backends.autoregressive._recurrent import Config, Recurrent

__all__ = ["GRU", "Config"]


class GRU(Recurrent):
    """h_t = (1 - z) ⊙ n + z ⊙ h_(t-1), where n reads r ⊙ h_(t-1) and z, r are gates."""

    Cell = nn.GRU
    states: ClassVar[int] = 1  # h
