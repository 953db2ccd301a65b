"""Causal Transformer stack: pre-norm blocks with rotary positions, and its key-value cache."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu2", "swiglu"]


class Cache:
    """Keys and values of the tokens that a stack has seen, in memory that is allocated once.

    Attributes:
        keys, values: [L, B, H, capacity, D]; only the first ``length`` positions hold anything.
        length: tokens seen so far.
    """

    def __init__(self, shape: tuple[int, int, int, int, int], like: Tensor) -> None:
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.length = 0

    @property
    def capacity(self) -> int:
        return self.keys.shape[3]

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Stores ``k``, ``v`` [B, H, n, D] of one layer; returns all of it, [B, H, length + n, D].

        ``length`` moves only once every layer has appended: see :meth:`Transformer.forward`.
        """
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def clear(self) -> None:
        """Forgets every token and keeps the memory."""
        self.length = 0


class Transformer(nn.Module):
    """Decoder-only stack on hidden states.

    Args:
        layers: blocks.
        heads: attention heads; ``width`` must be an even multiple of them (rotary pairs).
        width: channels C of the residual stream.
        context: most tokens T that one call may see.
        mlp_ratio: hidden channels of the MLP over ``width``.
        dropout: share of each branch's output dropped in training.
        activation: "relu2", or "swiglu" with as many weights.
    """

    def __init__(
        self,
        *,
        layers: int,
        heads: int,
        width: int,
        context: int,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        activation: Activation = "swiglu",
    ) -> None:
        super().__init__()
        self.heads, self.context = heads, context
        self.blocks = nn.ModuleList(
            Block(layer, heads, width, mlp_ratio, dropout, activation) for layer in range(layers)
        )
        turns = torch.view_as_real(rotary(context, width // heads))  # [T, D / 2, 2]
        self.register_buffer("rotary", turns, persistent=False)
        self.rotary: Tensor

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Hidden states [B, n, C] to normalised hidden states [B, n, C].

        With a ``cache``, ``x`` continues the tokens in it, and is added to it.

        Raises:
            ValueError: when the tokens do not fit the context.
        """
        begin = 0 if cache is None else cache.length
        end = begin + x.shape[1]
        if end > self.context:
            raise ValueError(f"{end} tokens do not fit a context of {self.context}")
        turns = torch.view_as_complex(self.rotary[begin:end].float())  # [n, D / 2]
        for block in self.blocks:
            x = block(x, turns, cache)
        if cache is not None:
            cache.length = end
        return rms_norm(x)

    def cache(self, batch: int) -> Cache:
        """An empty cache for ``batch`` sequences of up to ``context`` tokens."""
        weight = next(self.parameters())
        dim = 2 * self.rotary.shape[1]
        return Cache((len(self.blocks), batch, self.heads, self.context, dim), weight)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)).

    Both branches end in a linear layer of zeros, so that the block begins as the identity.
    """

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
        self.attention = Attention(layer, heads, width)
        self.mlp = {"relu2": SquaredReLU, "swiglu": SwiGLU}[activation](width, mlp_ratio)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Tensor, cache: Cache | None) -> Tensor:
        x = x + self.dropout(self.attention(rms_norm(x), turns, cache))
        return x + self.dropout(self.mlp(rms_norm(x)))


class Attention(nn.Module):
    """Causal self-attention, with rotary positions and QK-norm (Henry et al. 2020)."""

    def __init__(self, layer: int, heads: int, width: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, heads
        self.qkv = linear(width, 3 * width)
        self.out = linear(width, width, gain=0)

    def forward(self, x: Tensor, turns: Tensor, cache: Cache | None) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3 * self.heads, -1))  # [B, n, 3 H, D]
        qk = rotate(rms_norm(qkv[:, :, : 2 * self.heads].float()), turns)
        q, k = qk.transpose(1, 2).chunk(2, dim=1)  # => [B, H, n, D]
        v = qkv[:, :, 2 * self.heads :].transpose(1, 2)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # => [B, H, m, D]
        y = causal_attention(q, k, v)  # [B, H, n, D]
        return self.out(y.transpose(1, 2).flatten(2))  # => [B, n, C]


class SquaredReLU(nn.Module):
    """W2 relu(W1 x)²: Primer (So et al. 2021)."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = round(width * ratio)
        self.up, self.down = linear(width, hidden), linear(hidden, width, gain=0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(x)
        return self.down(F.relu(h) * h)  # half the backward of square(), on the CPU


class SwiGLU(nn.Module):
    """W2 (silu(W1 x) ⊙ W3 x): Shazeer 2020; two thirds of the hidden channels, as in section 2."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = round(width * ratio * 2 / 3)
        self.up, self.down = linear(width, 2 * hidden), linear(hidden, width, gain=0)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * value)


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What the queries [B, H, n, D] of the last n tokens take from all m: k and v [B, H, m, D]."""
    n, m = q.shape[2], k.shape[2]
    if n == 1 or n == m:
        return attend(q, k, v, causal=n > 1)
    return attend(q, k, v, torch.ones(n, m, dtype=torch.bool, device=q.device).tril(m - n))


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """Scaled dot-product attention in the type of ``v``; on the CPU in float32.

    There the bfloat16 kernel is several times slower than that of float32.
    """
    if v.device.type != "cpu":
        return F.scaled_dot_product_attention(q.type_as(v), k.type_as(v), v, mask, is_causal=causal)
    q, k, values = q.float(), k.float(), v.float()
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q, k, values, mask, is_causal=causal).type_as(v)


def rms_norm(x: Tensor) -> Tensor:
    """x over its root mean square along the last axis (Zhang & Sennrich 2019), without weights."""
    return F.rms_norm(x, (x.shape[-1],))


def rotary(context: int, dim: int) -> Tensor:
    """Turns e^(i t θ_j) [T, D / 2] with θ_j = base^(-2j/D) (Su et al. 2021, eq. 15).

    A short context gets a small base, so that its slowest pair still turns noticeably.
    """
    base = 1024.0 if context <= 256 else 10_000.0
    theta = base ** (-torch.arange(0, dim, 2) / dim)  # [D / 2]
    angles = torch.arange(context)[:, None] * theta  # [T, D / 2]
    return torch.polar(torch.ones_like(angles), angles)


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turns the pairs (x_2j, x_2j+1) of float32 x [B, n, H, D] by ``turns`` [n, D / 2].

    Complex numbers take half the time of their real spelling on the CPU.
    """
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # [B, n, H, D / 2]
    return torch.view_as_real(pairs * turns[:, None]).flatten(-2)


def linear(inputs: int, outputs: int, *, gain: float = 1.5) -> nn.Linear:
    """A linear layer without bias, its weights drawn from N(0, gain² / inputs).

    Branches that end in zeros learn faster from wide features: on 1 M characters a gain of 1.5
    was worth 0.05 nats over PyTorch's 0.58, and 1 and 3 lay between.
    """
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=gain / inputs**0.5)
    return layer
