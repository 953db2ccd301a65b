"""Embeddings of tokens that look back: tables of pairs and triples, and the smear."""

import torch
from torch import Tensor, nn

_MIX = 0x9E3779B97F4A7C15 - 2**64  # 2^64 / φ (Knuth's multiplicative hash), as it fits an int64


class NGrams(nn.Module):
    """An embedding for every n-gram that ends at a token; the table begins at zero.

    Where there are more n-grams than ``rows``, they share rows by a hash (Svenstrup 2017). So a
    network of a minute's training need not spend its layers on what counting would tell it.
    """

    def __init__(self, vocabulary: int, n: int, rows: int, width: int) -> None:
        super().__init__()
        self.n, self.base = n, vocabulary + 1  # one more for "before the beginning"
        every = self.base**n
        self.hashed = every > rows
        self.table = nn.Embedding(min(every, rows), width)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, n - 1 + T], base - 1 where there is none, to embeddings [B, T, C]."""
        end = ids.shape[1]
        code = ids[:, self.n - 1 :]
        for back in range(1, self.n):
            code = code * self.base + ids[:, self.n - 1 - back : end - back]
        if self.hashed:
            code = ((code * _MIX) >> 32) % self.table.num_embeddings
        return self.table(code)


class Smear(nn.Module):
    """x_t + λ σ(w x_t) x_(t-1): a token's embedding, with a share of the one before (Jordan 2025).

    λ and w begin at zero; w reads the first channels alone.
    """

    CHANNELS = 16

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(self.CHANNELS))
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1 + T, C], the first being the one before, to [B, T, C]."""
        now, before = x[:, 1:], x[:, :-1]
        read = now[..., : self.CHANNELS]
        gate = torch.sigmoid((read * self.gate[: read.shape[-1]]).sum(-1, keepdim=True))
        return now + self.share * gate * before
