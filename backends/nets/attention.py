"""Attention and what goes with it: RMS norm, rotary positions, the key-value cache."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = torch.finfo(torch.float32).eps
"""Added to the mean square; what is small must stay small beside activations in bfloat16."""

_EPS = torch.tensor(EPS)

MOST_SCORES = 512 * 512
"""Scores of a head beyond which the CPU no longer keeps them in memory."""

FEW = 2**15
"""Numbers in the values of one query below which the CPU's kernel, a single call, is faster."""


class Cache:
    """Keys and values of the tokens that a stack has seen, in memory that is allocated once.

    Attributes:
        layers: of each of L layers, keys and values [B, K, capacity, D]; only the first ``length``
            positions hold anything.
        ids: [B, capacity] of the tokens, for the model that looks back at them.
        length: tokens seen so far.
        capacity: tokens that there is room for.
    """

    def __init__(self, shape: tuple[int, int, int, int, int], like: Tensor) -> None:
        layers, batch, _, self.capacity, _ = shape
        self.layers = [
            (like.new_empty(shape[1:]), like.new_empty(shape[1:])) for _ in range(layers)
        ]
        self.ids = torch.zeros(batch, self.capacity, dtype=torch.long, device=like.device)
        self.length = 0

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Stores ``k``, ``v`` [B, K, n, D] of one layer; returns all of it, [B, K, length + n, D].

        ``length`` moves only once every layer has appended: see the stack's forward().
        """
        begin, n = self.length, k.shape[2]
        keys, values = self.layers[layer]
        keys.narrow(2, begin, n).copy_(k)
        values.narrow(2, begin, n).copy_(v)
        return keys.narrow(2, 0, begin + n), values.narrow(2, 0, begin + n)

    def reorder(self, origin: Tensor) -> None:
        """Sequence i goes on from sequence ``origin[i]``, as a beam search needs it."""
        self.layers = [(keys[origin], values[origin]) for keys, values in self.layers]
        self.ids = self.ids[origin]

    def clear(self) -> None:
        """Forgets every token and keeps the memory."""
        self.length = 0


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What the queries [B, H, n, D] of the last n tokens take from all m: k and v [B, K, m, D]."""
    n, m = q.shape[2], k.shape[2]
    if n == 1 or n == m:
        return attend(q, k, v, causal=n > 1)
    return attend(q, k, v, torch.ones(n, m, dtype=torch.bool, device=q.device).tril(m - n))


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """softmax(q kᵀ / √D) v in the type of ``v``: q [B, H, n, D], k and v [B, K, m, D] => as q.

    Where K < H, H / K neighbouring queries share a key (grouped queries, Ainslie et al. 2023).
    ``mask`` is True where a query may look, and broadcasts to [B, 1, n, m].

    The CPU's bfloat16 kernel is several times slower than that of float32, and products that are
    written out are faster than both.
    """
    groups = q.shape[1] // k.shape[1]
    if q.device.type == "cpu" and q.shape[2] * k.shape[2] <= MOST_SCORES:
        if mask is None and _is_short(q, v):
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=groups > 1)
        return _written_out(q, k, v, _bias(q, k, v, mask, causal))
    if q.device.type != "cpu":
        q, k = q.type_as(v), k.type_as(v)
        return F.scaled_dot_product_attention(
            q, k, v, mask, is_causal=causal, enable_gqa=groups > 1
        )
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(
            q.float(), k.float(), v.float(), mask, is_causal=causal, enable_gqa=groups > 1
        ).type_as(v)


def _is_short(q: Tensor, v: Tensor) -> bool:
    """Whether one query of a few sequences looks at so little that calls cost more than numbers."""
    few = q.shape[2] == 1 and v.numel() <= FEW and q.dtype == v.dtype == torch.float32
    return few and not torch.is_autocast_enabled("cpu")


def _bias(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor | None:
    """What is added to the scores: -inf where a query may not look, [n, m] or [B, 1, n or 1, m]."""
    if causal:
        return torch.full((q.shape[2], k.shape[2]), -math.inf, dtype=v.dtype).triu(1)
    if mask is None:
        return None
    return torch.zeros_like(mask, dtype=v.dtype).masked_fill_(~mask, -math.inf)


def _written_out(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    (b, heads, n, d), (shared, m) = q.shape, k.shape[1:3]
    if n == 1 and bias is None:  # token by token, every call counts
        scores = (q.to(v.dtype) * d**-0.5).reshape(b, shared, -1, d) @ k.to(v.dtype).mT
        return (scores.softmax(-1) @ v).view(q.shape)
    queries = q.to(v.dtype).reshape(b * shared, -1, d)  # => [B K, n H / K, D]
    keys, values = k.to(v.dtype).reshape(-1, m, d), v.reshape(-1, m, v.shape[-1])
    if bias is None:
        scores = (queries * d**-0.5) @ keys.transpose(1, 2)
    else:
        added = _for_each(bias, b, shared, heads // shared, n)
        scores = torch.baddbmm(added, queries, keys.transpose(1, 2), alpha=d**-0.5)
    return (scores.softmax(-1) @ values).view(b, heads, n, -1)


def _for_each(bias: Tensor, b: int, shared: int, groups: int, n: int) -> Tensor:
    """``bias`` as it is added to scores [B K, n H / K, m]."""
    if bias.dim() == 2:
        return bias if groups == 1 else bias.repeat(groups, 1)
    return bias.expand(b, shared, n, -1).repeat(1, 1, groups, 1).flatten(0, 1)


class _RMSNorm(torch.autograd.Function):
    """y = r x with r = (mean x² + ε)^(-1/2), hence dL/dx = r (g - y mean(g y)) with g = dL/dy."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        r = _over_rms(x)
        y = x * r
        ctx.save_for_backward(x, y, r)
        return y

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y, r = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient of this gradient will be asked for
            r = _over_rms(x)
        inner = (g * y).mean(-1, keepdim=True)
        return torch.addcmul(g, y, inner, value=-1).mul_(r)


def _over_rms(x: Tensor) -> Tensor:
    """r of _RMSNorm [..., 1], on the CPU: token by token, every call counts."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
    return torch.addcmul(_EPS, norm, norm, value=1 / x.shape[-1]).rsqrt().to(x.dtype)


def rms_norm(x: Tensor) -> Tensor:
    """x over its root mean square along the last axis (Zhang & Sennrich 2019), without weights.

    PyTorch's is a chain of small operations on the CPU, whose gradients take three times as long.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.rms_norm(x, (x.shape[-1],), eps=EPS)
    if not torch.is_grad_enabled():
        return x * _over_rms(x)
    return _RMSNorm.apply(x)  # pyright: ignore[reportReturnType]


def rotary(context: int, dim: int) -> Tensor:
    """Turns e^(i t θ_j) [T, D / 2] with θ_j = base^(-2j/D) (Su et al. 2021, eq. 15).

    A short context gets a small base, so that its slowest pair still turns noticeably.
    """
    base = 1024.0 if context <= 256 else 10_000.0
    theta = base ** (-torch.arange(0, dim, 2) / dim)  # [D / 2]
    angles = torch.arange(context)[:, None] * theta  # [T, D / 2]
    return torch.polar(torch.ones_like(angles), angles)


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turns the pairs (x_2j, x_2j+1) of float32 x [B, H, n, D] by ``turns`` [n, D / 2].

    Complex numbers take half the time of their real spelling on the CPU.
    """
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # [B, H, n, D / 2]
    return torch.view_as_real(pairs * turns).flatten(-2)
