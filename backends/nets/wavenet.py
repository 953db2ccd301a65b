"""A stack of dilated causal convolutions on tokens, and how it draws one at a constant cost."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK = 64
"""Tokens for which the clock stands still."""


@dataclass(slots=True)
class Memory:
    """What the layers still need of the past: of each, its last ``dilation`` inputs [d, B, C].

    Attributes:
        queues: one a layer, written round and round.
        length: tokens seen so far.
    """

    queues: list[Tensor]
    length: int = 0


class WaveNet(nn.Module):
    """Tokens to logits of the next one (van den Oord 2016, "WaveNet").

    Kernels are two tokens wide, and the dilation doubles from layer to layer; the sum over all
    layers of what they skip to the output is one matrix product. Before the first token there is
    nothing, written as zeros.

    Args:
        tokens: of the vocabulary, levels in their order.
        width: channels C of the residual stream.
        layers: of a stack, with dilations 1, 2, 4, ...
        stacks: how often the dilations begin anew.
        classes: 0 for a net without.
        clock: tokens up to which the net is told where it is; 0 is not at all.
    """

    def __init__(
        self, tokens: int, *, width: int, layers: int, stacks: int, classes: int, clock: int
    ) -> None:
        super().__init__()
        self.dilations = [2**i for _ in range(stacks) for i in range(layers)]
        count, gates = len(self.dilations), 2 * width * len(self.dilations)
        self.embed = nn.Embedding(tokens, width)
        self.embed.weight.data.copy_(levels(tokens, width))
        self.stem = nn.Linear(width, width)
        self.gates = nn.ModuleList(nn.Linear(2 * width, 2 * width) for _ in range(count))
        self.mixes = nn.ModuleList(nn.Linear(width, width) for _ in range(count))
        self.label = nn.Embedding(classes, gates) if classes else None
        self.clock = nn.Embedding(-(-clock // BLOCK), gates) if clock else None
        for table in filter(None, (self.label, self.clock)):
            nn.init.normal_(table.weight, std=0.1)
        self.skip = nn.Linear(count * width, 2 * width)
        self.last = nn.Linear(2 * width, 2 * width)
        self.out = nn.Linear(2 * width, tokens)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def reach(self) -> int:
        """Tokens that an output depends on."""
        return 1 + sum(self.dilations)

    def forward(self, ids: Tensor, y: Tensor | None) -> Tensor:
        """Logits [B, T, V] of what follows each of ``ids`` [B, T]."""
        count = ids.shape[1]
        ids = F.pad(ids, (0, -count % BLOCK))
        h = self.stem(self.embed(ids))  # [B, T, C]
        told = self._told(y, torch.arange(ids.shape[1] // BLOCK, device=ids.device))
        gated: list[Tensor] = []
        for i, dilation in enumerate(self.dilations):
            before = F.pad(h, (0, 0, dilation, 0))[:, : h.shape[1]]
            u = self.gates[i](torch.cat([before, h], -1))
            if told is not None:
                u = (u.unflatten(1, (-1, BLOCK)) + told[:, :, i, None].type_as(u)).flatten(1, 2)
            gated.append(gate(u))
            h = h + self.mixes[i](gated[-1])
        return self._logits(torch.cat(gated, -1))[:, :count]

    def memory(self, batch: int) -> Memory:
        """An empty memory of ``batch`` sequences."""
        like, width = self.stem.weight, self.stem.out_features
        return Memory([like.new_zeros(d, batch, width) for d in self.dilations])

    def step(self, ids: Tensor, y: Tensor | None, memory: Memory) -> Tensor:
        """Logits [B, V] after one token more, ``ids`` [B], which ``memory`` keeps (Paine 2016)."""
        t = memory.length
        told = self._told(y, torch.tensor([t // BLOCK], device=ids.device))
        h, gated = self.stem(self.embed(ids)), list[Tensor]()
        for i, queue in enumerate(memory.queues):
            place = queue[t % len(queue)]  # what came in ``dilation`` tokens ago
            u = self.gates[i](torch.cat([place, h], -1))
            place.copy_(h)
            gated.append(gate(u if told is None else u + told[:, 0, i]))
            h = h + self.mixes[i](gated[-1])
        memory.length += 1
        return self._logits(torch.cat(gated, -1))

    def _told(self, y: Tensor | None, blocks: Tensor) -> Tensor | None:
        """What class and clock add to the gates, [B or 1, blocks, layers, 2 C]."""
        label = None if self.label is None or y is None else self.label(y)[:, None]
        if self.clock is None:
            told = label
        else:
            time = self.clock(blocks.clamp(max=self.clock.num_embeddings - 1))[None]
            told = time if label is None else time + label
        return None if told is None else told.unflatten(-1, (len(self.dilations), -1))

    def _logits(self, gated: Tensor) -> Tensor:
        h = F.relu(self.last(F.relu(self.skip(gated))))
        return self.out(h).float()


def levels(count: int, width: int) -> Tensor:
    """Features [count, width] of levels that lie on a line: waves of 1/π to 100/π periods."""
    angles = torch.linspace(-1, 1, count)[:, None] * torch.logspace(0, 2, width)
    return torch.sin(angles + math.pi / 2 * (torch.arange(width) % 2))


def gate(u: Tensor) -> Tensor:
    """tanh(W_f x) ⊙ sigmoid(W_g x): eq. 2."""
    f, g = u.chunk(2, dim=-1)
    return torch.tanh(f) * torch.sigmoid(g)
