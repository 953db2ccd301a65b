"""What the recurrent language models share: state that is carried on, in training and in sampling.

Mikolov et al. 2010, "Recurrent neural network based language model". Training is by truncated
backpropagation through time (Williams & Peng 1990): a batch begins in the state in which the one
before has left each lane of the text, and gradients end where the batch begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.autoregressive._language import LanguageModel
from backends.knobs import Bounds
from backends.model import Batch, DataShape, Losses
from backends.nets.attention import rms_norm
from backends.watching import Choose


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. How far gradients reach back is the data's context."""

    layers: Annotated[int, "recurrent layers", Bounds(1, 8)] = 2
    width: Annotated[int, "units a layer, and channels of an embedding", Bounds(4, 4096)] = 256
    dropout: Annotated[
        float, "share of each layer's input and of the output dropped", Bounds(0, 0.9)
    ] = 0.1
    tie_weights: Annotated[bool, "one matrix for embedding and head"] = True


class Recurrent(LanguageModel):
    """h_t = cell(e(x_t), h_(t-1)) in every layer, p(x_(t+1) | x_≤t) = softmax(W h_t).

    Attributes:
        carried: [K, L, B, H], the K tensors of a cell's state in L layers and B lanes.
    """

    Config = Config
    Cell: ClassVar[type[nn.LSTM] | type[nn.GRU]]
    states: ClassVar[int]
    sequential: ClassVar[bool] = True
    carried: Tensor
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1200,
        "batch_size": 32,
        "lr": 3e-3,
        "beta2": 0.95,
        "ema_half_life": 50.0,
        "validate_batches": 32,
        "sample_count": 4,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.config: Config = config
        size, width, several = self.vocabulary.size, config.width, config.layers > 1
        self.embedding = nn.Embedding(size, width)
        self.cells = self.Cell(
            width,
            width,
            config.layers,
            batch_first=True,
            dropout=config.dropout if several else 0.0,  # between layers
        )
        self.head = None if config.tie_weights else nn.Embedding(size, width)
        self.bias = nn.Parameter(torch.zeros(size))
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        if self.head is not None:
            nn.init.normal_(self.head.weight, std=width**-0.5)
        self.carry(0)

    def carry(self, lanes: int) -> None:
        """Room for the state of ``lanes`` items, which begins at zero."""
        state = torch.zeros(self.states, self.config.layers, lanes, self.config.width)
        self.register_buffer("carried", state.to(self.embedding.weight.device))

    def logits(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, n, V] of what follows each of ``ids`` [B, n], and the state after them."""
        x = F.dropout(rms_norm(self.embedding(ids)), self.config.dropout, self.training)
        h, state = self._run(x, state)
        h = F.dropout(rms_norm(h), self.config.dropout, self.training)
        head = self.embedding if self.head is None else self.head
        return F.linear(h, head.weight, self.bias).float(), state

    def _run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs [B, n, H] and states [K, L, B, H] of the cells."""
        if self.states == 1:
            h, last = self.cells(x, state[0])
            return h, last[None]
        h, last = self.cells(x, (state[0], state[1]))
        return h, torch.stack(last)

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a token, and in bits a byte; the state of the lanes moves on."""
        ids, lanes = batch.x[:, :-1], slice(batch.first, batch.first + len(batch.x))
        if self.carried.shape[2] < lanes.stop:
            self.carry(lanes.stop)
        # A copy: what the lanes carry changes before the gradients are taken.
        logits, state = self.logits(ids, self.carried[:, :, lanes].clone())
        self.carried[:, :, lanes] = state.detach()
        return self.terms(logits, batch.x[:, 1:])

    def validation(self, batch: Batch) -> Losses:
        """The terms of a held-out batch, every item from a fresh state."""
        logits, _ = self.logits(batch.x[:, :-1], self._fresh(len(batch.x)))
        return self.terms(logits, batch.x[:, 1:])

    def _fresh(self, count: int) -> Tensor:
        return self.carried.new_zeros(self.states, self.config.layers, count, self.config.width)

    def continuations(self, ids: Tensor, length: int, choose: Choose) -> Tensor:
        """The next ``length`` tokens [B, length] after ``ids`` [B, n]; every token is read once."""
        state, drawn = self._fresh(len(ids)), list[Tensor]()
        with torch.autocast(ids.device.type, enabled=False):
            for _ in range(length):
                logits, state = self.logits(ids, state)
                drawn.append(choose(logits[:, -1]))
                ids = drawn[-1][:, None]
        return torch.stack(drawn, dim=1)

    def _load_from_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, state_dict: Any, prefix: str, *rest: Any
    ) -> None:
        """Takes over as many lanes as there were."""
        kept = state_dict.get(f"{prefix}carried")
        if kept is not None and kept.dim() == 4 and kept.shape != self.carried.shape:
            self.carry(kept.shape[2])
        super()._load_from_state_dict(state_dict, prefix, *rest)
