"""Encoder-decoder Transformer on token ids: pre-norm blocks, rotary positions, cross-attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.nets.attention import Cache, attend, rms_norm, rotary, rotate
from backends.nets.transformer import Activation, Attention, linear, mlp


@dataclass(frozen=True, slots=True)
class Memory:
    """What a decoder sees of encoded sources.

    Attributes:
        keys, values: one [B, H, 1 + S, D] a layer.
        seen: bool [B, 1, 1, 1 + S], False where there is padding.
    """

    keys: Sequence[Tensor]
    values: Sequence[Tensor]
    seen: Tensor

    def repeated(self, times: int) -> "Memory":
        """Every source ``times`` in a row, as beams need it."""
        keys, values = (
            [part.repeat_interleave(times, 0) for part in parts]
            for parts in (self.keys, self.values)
        )
        return Memory(keys, values, self.seen.repeat_interleave(times, 0))


class EncoderDecoder(nn.Module):
    """Logits of target tokens after source tokens (Vaswani et al. 2017, figure 1).

    Args:
        vocabulary: tokens V; one table embeds sources and targets, and is the head (section 3.4).
        pad: the id of padding, which nothing attends to.
        layers: blocks of the encoder, and as many of the decoder.
        heads: attention heads; ``width`` must be an even multiple of them (rotary pairs).
        width: channels C of the residual streams.
        source, target: most tokens S and T of either side.
        mlp_ratio: hidden channels of the MLPs over ``width``.
        dropout: share of the embeddings and of each branch's output dropped in training.
        activation: of the MLPs.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        pad: int,
        layers: int,
        heads: int,
        width: int,
        source: int,
        target: int,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        activation: Activation = "relu2",
    ) -> None:
        super().__init__()
        self.pad, self.heads, self.target, self.dropout = pad, heads, target, dropout
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.first = nn.Parameter(torch.randn(width) * width**-0.5)
        blocks = range(layers)
        self.encoder = nn.ModuleList(
            EncoderBlock(heads, width, mlp_ratio, dropout, activation) for _ in blocks
        )
        self.decoder = nn.ModuleList(
            DecoderBlock(layer, heads, width, mlp_ratio, dropout, activation) for layer in blocks
        )
        self.remembered = nn.ModuleList(Remembered(heads, width) for _ in blocks)
        turns = torch.view_as_real(rotary(max(1 + source, target), width // heads))  # [n, D / 2, 2]
        self.register_buffer("rotary", turns, persistent=False)
        self.rotary: Tensor

    def forward(self, sources: Tensor, targets: Tensor) -> Tensor:
        """Logits [B, n, V] of what follows each of ``targets`` [B, n], given ``sources`` [B, S]."""
        return self.decode(targets, self.encode(sources))

    def encode(self, ids: Tensor) -> Memory:
        """What the decoder sees of sources [B, S]."""
        seen = F.pad(ids != self.pad, (1, 0), value=True)[:, None, None]
        # Attention averages: without one place that is unlike all others, a line of equal tokens
        # could not tell its length, and one of nothing but padding would have nothing to look at.
        first = self.first.expand(len(ids), 1, -1)
        x = torch.cat([first, self._embedded(ids)], dim=1)  # => [B, 1 + S, C]
        turns = self._turns(0, x.shape[1])
        for block in self.encoder:
            x = block(x, turns, seen)
        x = rms_norm(x)  # [B, 1 + S, C]
        both = [remember(x, turns) for remember in self.remembered]
        return Memory([keys for keys, _ in both], [values for _, values in both], seen)

    def decode(self, ids: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """Logits [B, n, V] of what follows each of ``ids`` [B, n].

        With a ``cache``, ``ids`` continue the tokens in it, and are added to it. Padding ends a
        target, so that the causal mask alone keeps it from all that counts.
        """
        begin = 0 if cache is None else cache.length
        end = begin + ids.shape[1]
        x, turns = self._embedded(ids), self._turns(begin, end)
        for layer, block in enumerate(self.decoder):
            seen = memory.keys[layer], memory.values[layer], memory.seen
            x = block(x, turns, seen, cache)
        if cache is not None:
            cache.length = end
        return F.linear(rms_norm(x), self.embedding.weight).float()

    def cache(self, batch: int) -> Cache:
        """An empty cache for ``batch`` targets."""
        weight, dim = self.embedding.weight, 2 * self.rotary.shape[1]
        return Cache((len(self.decoder), batch, self.heads, self.target, dim), weight)

    def _embedded(self, ids: Tensor) -> Tensor:
        return F.dropout(rms_norm(self.embedding(ids)), self.dropout, self.training)  # [B, n, C]

    def _turns(self, begin: int, end: int) -> Tensor:
        return torch.view_as_complex(self.rotary[begin:end].float())  # [n, D / 2]


class EncoderBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); it begins as the identity."""

    def __init__(
        self, heads: int, width: int, mlp_ratio: float, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(heads, width)
        self.mlp = mlp(activation, width, mlp_ratio)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Tensor, seen: Tensor) -> Tensor:
        x = x + self.drop(self.attention(rms_norm(x), turns, seen))
        return x + self.drop(self.mlp(rms_norm(x)))


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the source, MLP; it begins as the identity."""

    def __init__(
        self,
        layer: int,
        heads: int,
        width: int,
        mlp_ratio: float,
        dropout: float,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.attention = Attention(layer, heads, heads, width)
        self.cross = CrossAttention(heads, width)
        self.mlp = mlp(activation, width, mlp_ratio)
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, turns: Tensor, memory: tuple[Tensor, Tensor, Tensor], cache: Cache | None
    ) -> Tensor:
        x = x + self.drop(self.attention(rms_norm(x), turns, cache))
        x = x + self.drop(self.cross(rms_norm(x), turns, *memory))
        return x + self.drop(self.mlp(rms_norm(x)))


class SelfAttention(nn.Module):
    """Attention to all that is no padding, with rotary positions and QK-norm."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = linear(width, 3 * width)
        self.out = linear(width, width, gain=0)

    def forward(self, x: Tensor, turns: Tensor, seen: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3 * self.heads, -1))  # [B, S, 3 H, D]
        qk, v = qkv.split([2 * self.heads, self.heads], dim=2)
        qk = qk.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        q, k = rotate(rms_norm(qk), turns).chunk(2, dim=1)  # => [B, H, S, D]
        y = attend(q, k, v.transpose(1, 2), seen)
        return self.out(y.transpose(1, 2).flatten(2))  # => [B, S, C]


class Remembered(nn.Module):
    """Keys, with QK-norm, and values of encoded sources, for one layer of the decoder."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads, self.kv = heads, linear(width, 2 * width)

    def forward(self, x: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        kv = self.kv(x).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)  # [B, 2 H, S, D]
        k, v = kv.chunk(2, dim=1)
        return rotate(rms_norm(k.float()), turns), v


class CrossAttention(nn.Module):
    """Attention of targets to a source, with QK-norm and rotary positions on both sides.

    So a place of a target finds the same place of the source, and those beside it, without counting
    (100 steps of copying random lines: all tokens right instead of 42 %).
    """

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.out = linear(width, width), linear(width, width, gain=0)

    def forward(
        self, x: Tensor, turns: Tensor, keys: Tensor, values: Tensor, seen: Tensor
    ) -> Tensor:
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, n, D]
        y = attend(rotate(rms_norm(q.float()), turns), keys, values, seen)
        return self.out(y.transpose(1, 2).flatten(2))  # => [B, n, C]
