"""GPT: a causal Transformer that writes text, on characters, bytes or byte pairs.

Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", with what has
proven itself since: rotary positions (Su 2021), RMS norm and QK-norm, squared ReLU (So 2021) or
SwiGLU, grouped queries (Ainslie 2023), projections that begin at zero, capped logits (Gemma 2,
2024), embeddings of pairs and triples of tokens, and Muon for the matrices (Jordan 2024).
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.autoregressive._embedding import NGrams, Smear
from backends.autoregressive._language import LanguageModel
from backends.knobs import Bounds, ConfigError
from backends.model import Batch, DataShape, Losses
from backends.nets.transformer import Activation, Cache, Transformer, rms_norm
from backends.watching import Choose

AT_ONCE, CACHE_BYTES = 64, 2**30
"""Texts that are drawn at once, and the most memory that their keys and values may take."""

LARGE = 4_000_000
"""Weights of a stack beyond which bfloat16 draws faster; below, casts cost more than they save."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. The context is a knob of the data."""

    layers: Annotated[int, "Transformer blocks", Bounds(1, 64)] = 4
    heads: Annotated[int, "attention heads a block; must divide width", Bounds(1, 64)] = 4
    kv_heads: Annotated[
        int, "heads of keys and values, which groups of heads share; 0: one each", Bounds(0, 64)
    ] = 0
    width: Annotated[int, "channels of the residual stream", Bounds(8, 4096)] = 128
    mlp_ratio: Annotated[float, "hidden channels of the MLP over width", Bounds(0.5, 16)] = 4.0
    activation: Annotated[Activation, "activation of the MLP"] = "relu2"
    dropout: Annotated[
        float, "share of each branch's output dropped; 0.2 for a short text", Bounds(0, 0.9)
    ] = 0.0
    tie_weights: Annotated[bool, "one matrix for embedding and head"] = False
    logit_cap: Annotated[float, "limit that tanh keeps logits within; 0: none", Bounds(0, 1e4)] = 15
    smear: Annotated[bool, "mix a share of the token before into each embedding"] = True
    pairs: Annotated[
        int, "embeddings of pairs of tokens, shared if there are more; 0: none", Bounds(0, 2**24)
    ] = 8192
    triples: Annotated[
        int, "embeddings of triples of tokens, shared if there are more; 0: none", Bounds(0, 2**24)
    ] = 0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.width // self.heads % 2:
            raise ConfigError(
                f"width / heads must be even for rotary positions, not {self.width // self.heads}"
            )
        if self.kv_heads and self.heads % self.kv_heads:
            raise ConfigError(f"kv_heads {self.kv_heads} must divide heads {self.heads}")


class GPT(LanguageModel):
    """p(x_t | x_<t) by a stack of causal blocks; see LanguageModel for the data."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2000,
        "batch_size": 16,
        "lr": 3e-3,
        "optimizer": "muon",
        "schedule": "linear",
        "beta2": 0.95,
        "ema_half_life": 50.0,
        "validate_batches": 32,
        "sample_count": 4,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.config: Config = config
        size, width = self.vocabulary.size, config.width
        self.embedding = nn.Embedding(size + 1, width)  # the last: before the beginning
        rows = {2: config.pairs, 3: config.triples}
        ngrams = [NGrams(size, n, count, width) for n, count in rows.items() if count]
        self.ngrams: Sequence[NGrams] = nn.ModuleList(ngrams)  # pyright: ignore[reportAttributeAccessIssue]
        self.smear = Smear() if config.smear else None
        self.transformer = Transformer(
            layers=config.layers,
            heads=config.heads,
            width=width,
            context=shape.size[0],
            kv_heads=config.kv_heads,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            activation=config.activation,
        )
        # A table of directions, one a token, as the embedding is: no matrix for Muon to turn.
        self.head = None if config.tie_weights else nn.Embedding(size, width)
        if self.head is None:
            nn.init.normal_(self.embedding.weight, std=0.02)
        else:
            nn.init.zeros_(self.head.weight)

    def logits(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits [B, n, V] of what follows each of ``ids`` [B, n]; see Transformer.forward."""
        x = rms_norm(self._embedded(ids, cache))  # [B, n, C]
        x = self.transformer(x, cache)
        head = self.embedding.weight[:-1] if self.head is None else self.head.weight
        logits, cap = F.linear(x, head).float(), self.config.logit_cap  # [B, n, V]
        return cap * torch.tanh(logits / cap) if cap else logits

    def _embedded(self, ids: Tensor, cache: Cache | None) -> Tensor:
        """Embeddings [B, n, C] of ids and of what the cache knows to stand before them."""
        seen = self._with_two_before(ids, cache)  # [B, 2 + n], V before the beginning
        x = self.embedding(seen[:, 1:])
        x = x[:, 1:] if self.smear is None else self.smear(rms_norm(x))
        for ngrams in self.ngrams:
            x = x + ngrams(seen[:, 3 - ngrams.n :])
        return x

    def _with_two_before(self, ids: Tensor, cache: Cache | None) -> Tensor:
        begin = 0 if cache is None else cache.length
        if cache is not None:
            cache.ids[:, begin : begin + ids.shape[1]] = ids
            if begin >= 2:
                return cache.ids[:, begin - 2 : begin + ids.shape[1]]
            ids = cache.ids[:, : begin + ids.shape[1]]
        return F.pad(ids, (2 - begin, 0), value=self.vocabulary.size)

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a token, and in bits a byte."""
        return self.terms(self.logits(batch.x[:, :-1]), batch.x[:, 1:])

    def at_once(self) -> int:
        """As many texts as their keys and values fit into memory."""
        text = 8 * self.config.layers * self.shape.size[0] * self.config.width  # bytes
        return max(1, min(AT_ONCE, CACHE_BYTES // text))

    def continuations(self, ids: Tensor, length: int, choose: Choose) -> Tensor:
        """The next ``length`` tokens [B, length] after ``ids`` [B, n].

        Every token is computed once and its keys and values are kept. When they fill the context T,
        the last T/2 tokens are computed anew as its first half: so the logits are at all times
        exactly those of the whole network on the last T/2 to T tokens, at the cost of one token
        more a token.
        """
        kind = ids.device.type
        short = torch.is_autocast_enabled(kind) and self._is_large()
        model = self._cast() if short else self
        with torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=short):
            return model._continued(ids, length, choose)

    def _continued(self, ids: Tensor, length: int, choose: Choose) -> Tensor:
        cache, n = self.transformer.cache(len(ids)), ids.shape[1]
        seen = torch.cat([ids, ids.new_zeros(len(ids), length)], dim=1)  # [B, n + length]
        begin = max(0, n - cache.capacity)
        for end in range(n, n + length):
            seen[:, end] = choose(self.logits(seen[:, begin:end], cache)[:, -1])
            begin = end
            if cache.length == cache.capacity:
                cache.clear()
                begin = end + 1 - max(1, cache.capacity // 2)
        return seen[:, n:]

    def _is_large(self) -> bool:
        """Whether reading the matrices takes most of a token's time."""
        return sum(p.numel() for p in self.transformer.parameters()) > LARGE

    def _cast(self) -> "GPT":
        """A copy with matrices in bfloat16: cast once, and not at every token."""
        model = copy.deepcopy(self)
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.bfloat16()
        return model
