"""GPT: decoder-only Transformer with rotary positions, on characters or bytes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.knobs import Bounds, ConfigError
from backends.model import Batch, DataShape, Losses, Model, RequestError, Samples, Vocabulary
from backends.nets.transformer import Activation, Cache, Transformer, linear, rms_norm
from backends.records import Modality, SampleRequest

LENGTH, LENGTH_LIMIT = 256, 65_536
TEMPERATURE = 0.8
AT_ONCE, CACHE_BYTES = 64, 2**30
"""Texts that are drawn at once, and the most memory that their keys and values may take."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. The context is a knob of the data."""

    layers: Annotated[int, "Transformer blocks", Bounds(1, 64)] = 4
    heads: Annotated[int, "attention heads a block; must divide width", Bounds(1, 64)] = 4
    width: Annotated[int, "channels of the residual stream", Bounds(8, 4096)] = 128
    mlp_ratio: Annotated[float, "hidden channels of the MLP over width", Bounds(0.5, 16)] = 4.0
    dropout: Annotated[
        float, "share of each branch's output dropped; 0.2 for a short text", Bounds(0, 0.9)
    ] = 0.0
    tie_weights: Annotated[bool, "one matrix for embedding and head"] = True
    activation: Annotated[Activation, "activation of the MLP"] = "swiglu"

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.width // self.heads % 2:
            raise ConfigError(
                f"width / heads must be even for rotary positions, not {self.width // self.heads}"
            )


class GPT(Model):
    """p(x) = Π p(x_t | x_<t), each factor a softmax over the vocabulary (Radford et al. 2018).

    Learns from ids [B, T + 1] below V; T is ``shape.size[0]`` and V ``shape.vocabulary.size``.
    """

    Config = Config
    modality: ClassVar[Modality] = "text"
    asks: ClassVar[frozenset[str]] = frozenset({"prompt", "length", "temperature", "top_k"})
    default_dataset: ClassVar[str] = "shakespeare-mini"
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2000,
        "batch_size": 16,
        "lr": 3e-3,
        "beta2": 0.95,
        "ema_half_life": 50.0,
        "validate_batches": 32,
        "sample_count": 4,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.config: Config = config
        if shape.vocabulary is None:
            raise ConfigError("this model learns from text, and the data has no vocabulary")
        self.vocabulary: Vocabulary = shape.vocabulary
        self.embedding = nn.Embedding(self.vocabulary.size, config.width)
        self.transformer = Transformer(
            layers=config.layers,
            heads=config.heads,
            width=config.width,
            context=shape.size[0],
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            activation=config.activation,
        )
        if config.tie_weights:
            self.head = None
            nn.init.normal_(self.embedding.weight, std=0.02)
        else:
            self.head = linear(config.width, self.vocabulary.size, gain=0)

    def logits(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits [B, n, V] of what follows each of ``ids`` [B, n]; see Transformer.forward."""
        x = rms_norm(self.embedding(ids))  # [B, n, C]
        x = self.transformer(x, cache)
        head = self.embedding if self.head is None else self.head
        return F.linear(x, head.weight).float()  # => [B, n, V]

    def loss(self, batch: Batch) -> Losses:
        """Cross-entropy in nats a token, and the same in bits."""
        logits = self.logits(batch.x[:, :-1])  # [B, T, V]
        loss = F.cross_entropy(logits.flatten(0, 1), batch.x[:, 1:].flatten())
        return {"loss": loss, "bits_per_character": loss.detach() / math.log(2)}

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError for what this model cannot do, or for a number out of its range."""
        super().check(request)
        _limit("length", request.length, 1, LENGTH_LIMIT)
        _limit("top_k", request.top_k, 1, math.inf)
        _limit("temperature", request.temperature, 0, 100)
        self.encode(request.prompt)

    @torch.no_grad()
    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """``count`` texts: the prompt, then ``length`` tokens (256 unless asked otherwise).

        Without a prompt a text follows the vocabulary's start, which is not part of it. The
        ``temperature`` (0.8) may be 0: then the likeliest token is always taken. ``top_k`` draws
        from the k likeliest tokens alone. Prompt and text may be longer than the context T: what
        is drawn then depends on the last T/2 to T tokens, see :func:`continuations`.

        Raises:
            RequestError: for a prompt that the vocabulary cannot spell, or a number out of range.
        """
        self.check(request)
        most = self._at_once()
        sizes = [min(most, request.count - i) for i in range(0, request.count, most)]
        # Token by token, casting the weights to a shorter type costs more than it saves.
        with torch.autocast(self.device.type, enabled=False):
            texts = [text for n in sizes for text in self._texts(n, request, generator)]
        return Samples(texts=texts)

    def _at_once(self) -> int:
        text = 8 * self.config.layers * self.shape.size[0] * self.config.width  # bytes
        return max(1, min(AT_ONCE, CACHE_BYTES // text))

    def _texts(self, count: int, request: SampleRequest, generator: torch.Generator) -> list[str]:
        prompt = self.encode(request.prompt)
        begin = torch.tensor(prompt or [self.vocabulary.start], device=self.device)  # [n]
        temperature = TEMPERATURE if request.temperature is None else request.temperature
        choose = partial(draw, temperature=temperature, top_k=request.top_k, generator=generator)
        ids = continuations(self, begin.repeat(count, 1), request.length or LENGTH, choose)
        return [self.vocabulary.decode(prompt + new) for new in ids.tolist()]

    def encode(self, prompt: str | None) -> list[int]:
        """Ids of a prompt, which may be empty; a RequestError where it cannot be spelled."""
        try:
            return self.vocabulary.encode(prompt or "")
        except ValueError as error:
            raise RequestError(f"the prompt cannot be used: {error}") from None


def continuations(
    model: GPT, ids: Tensor, length: int, choose: Callable[[Tensor], Tensor]
) -> Tensor:
    """The next ``length`` tokens [B, length] after ``ids`` [B, n], ``choose`` taking logits [B, V].

    Every token is computed once and its keys and values are kept. When they fill the context T,
    the last T/2 tokens are computed anew as its first half: so the logits are at all times exactly
    those of the whole network on the last T/2 to T tokens, at the cost of one token more a token.
    """
    cache, n = model.transformer.cache(len(ids)), ids.shape[1]
    seen = torch.cat([ids, ids.new_zeros(len(ids), length)], dim=1)  # [B, n + length]
    begin = max(0, n - cache.capacity)
    for end in range(n, n + length):
        seen[:, end] = choose(model.logits(seen[:, begin:end], cache)[:, -1])
        begin = end
        if cache.length == cache.capacity:
            cache.clear()
            begin = end + 1 - max(1, cache.capacity // 2)
    return seen[:, n:]


def draw(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator
) -> Tensor:
    """Tokens [B] drawn from softmax(logits [B, V] / temperature), of the ``top_k`` likeliest."""
    if temperature == 0 or top_k == 1:
        return logits.argmax(dim=-1)
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, -math.inf)
    # Less the greatest first, so that a tiny temperature does not overflow.
    logits = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]


def _limit(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        most = f" and at most {high:g}" if math.isfinite(high) else ""
        raise RequestError(f"{name} must be at least {low:g}{most}, not {value:g}")
