"""Seq2seq: an encoder-decoder Transformer that learns what lines become, such as translations.

Sutskever, Vinyals & Le 2014, "Sequence to Sequence Learning with Neural Networks", with the network
of Vaswani et al. 2017, "Attention Is All You Need":

    p(y | x) = Π_t p(y_t | y_<t, x),   targets smoothed by ε (section 5.4), beams with a length
    penalty (Wu et al. 2016, eq. 14).

Since then: norms before the branches, rotary positions (Su 2021), RMS norm and QK-norm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from backends.asking import BOUNDS, Usual
from backends.autoregressive._beams import Marks, Step, beam_search, greedy
from backends.knobs import Bounds, ConfigError
from backends.metrics.bleu import bleu
from backends.metrics.chrf import chrf
from backends.model import (
    INPUTS,
    Batch,
    DataShape,
    Losses,
    Model,
    RequestError,
    Samples,
    Vocabulary,
)
from backends.nets.encoder_decoder import EncoderDecoder
from backends.nets.transformer import Activation
from backends.records import DataKind, Modality, SampleRequest
from backends.watching import is_watched, observer

BEAMS = 4
WIDEST = int(BOUNDS["beams"][1])


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. The longest lines are knobs of the data."""

    layers: Annotated[int, "blocks of the encoder, and of the decoder", Bounds(1, 32)] = 2
    heads: Annotated[int, "attention heads a block; must divide width", Bounds(1, 64)] = 4
    width: Annotated[int, "channels of the residual streams", Bounds(8, 4096)] = 128
    mlp_ratio: Annotated[float, "hidden channels of the MLP over width", Bounds(0.5, 16)] = 4.0
    activation: Annotated[Activation, "activation of the MLP"] = "relu2"
    dropout: Annotated[
        float, "share of embeddings and of each branch's output dropped", Bounds(0, 0.9)
    ] = 0.1
    label_smoothing: Annotated[
        float, "share of a target's probability spread over the vocabulary", Bounds(0, 0.9)
    ] = 0.1
    length_penalty: Annotated[
        float, "exponent of the length that beams are judged by; 0 favours short", Bounds(0, 4)
    ] = 0.6

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ConfigError(f"width {self.width} must be a multiple of 2 x heads {self.heads}")


class Seq2Seq(Model):
    """The network, its loss, and what it makes of lines."""

    Config = Config
    modality: ClassVar[Modality] = "text"
    learns: ClassVar[DataKind | None] = "pairs"
    asks: ClassVar[frozenset[str]] = frozenset({"prompt", "beams"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 500,
        "batch_size": 64,
        "lr": 3e-3,
        "optimizer": "muon",
        "schedule": "linear",
        "beta2": 0.98,
        "ema_half_life": 20.0,
        "validate_every": 100,
        "validate_batches": 4,
        "sample_every": 100,
        "sample_count": 16,
    }
    default_dataset: ClassVar[str] = "dates"
    sources: Tensor
    references: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        if shape.vocabulary is None:
            raise ConfigError("this model learns from pairs of lines: the data has no vocabulary")
        self.vocabulary: Vocabulary = shape.vocabulary
        source, self.length = shape.size
        self.net = EncoderDecoder(
            vocabulary=self.vocabulary.size,
            pad=self.vocabulary.pad,
            layers=config.layers,
            heads=config.heads,
            width=config.width,
            source=source,
            target=self.length,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            activation=config.activation,
        )
        pad, start, end = self.vocabulary.pad, self.vocabulary.start, self.vocabulary.end
        self.marks = Marks(start, end, (pad, start))
        for name, size in (("sources", source), ("references", self.length + 1)):
            self.register_buffer(name, torch.full((INPUTS, size), pad))

    def observe(self, held: Batch) -> None:
        """Keeps held-out pairs, whose sources are drawn; few pairs are kept several times."""
        picks = torch.arange(INPUTS) % len(held.x)
        self.sources.copy_(held.x[picks])
        self.references.copy_(_targets(held)[picks])

    # ------------------------------------------------------------------ learning

    def loss(self, batch: Batch) -> Losses:
        """Smoothed cross-entropy in nats a token, the plain one, and how many tokens are right."""
        x, y = self._cut(batch.x), self._cut(_targets(batch))
        return self.terms(self.net(x, y[:, :-1]), y[:, 1:])

    def terms(self, logits: Tensor, targets: Tensor) -> Losses:
        """(1 - ε) (-log p_y) + ε mean_v (-log p_v), averaged over targets [B, T] but padding.

        That is the cross-entropy with (1 - ε) one-hot + ε / V (Szegedy 2016, section 7).
        """
        counted = (targets != self.vocabulary.pad).float()
        counted = counted / counted.sum()  # [B, T], a sum of one
        log_p, smoothing = logits.log_softmax(-1), self.config.label_smoothing  # [B, T, V]
        nll = -log_p.gather(-1, targets[..., None])[..., 0]
        smoothed = (1 - smoothing) * nll - smoothing * log_p.mean(-1)
        right = (logits.detach().argmax(-1) == targets).float()
        return {
            "loss": (smoothed * counted).sum(),
            "nll": (nll.detach() * counted).sum(),
            "token_accuracy": (right * counted).sum(),
        }

    def validation(self, batch: Batch) -> Losses:
        """The loss, and scores of what greedy decoding makes of the sources: BLEU, chrF, and the
        share of lines that are exactly right.

        BLEU and chrF of a corpus are no means over its parts: what is logged is the mean of those
        of the validation's batches.
        """
        told = self._told(self._greedy(batch.x))
        truth = self._told(_targets(batch))
        exact = sum(a == b for a, b in zip(told, truth, strict=True)) / len(truth)
        scores = {
            "bleu": bleu(told, [[line] for line in truth]).score,
            "chrf": chrf(told, [[line] for line in truth]),
            "exact_match": exact,
        }
        found = {name: torch.tensor(value, device=self.device) for name, value in scores.items()}
        return {**self.loss(batch), **found}

    def _cut(self, ids: Tensor) -> Tensor:
        """``ids`` [B, n] without the columns that are padding alone, where that is worth a look.

        It changes no value: padding is not attended to and not counted. A GPU would be waited for,
        and a compiled network wants one shape.
        """
        if ids.device.type != "cpu" or torch.compiler.is_compiling():
            return ids
        used = (ids != self.vocabulary.pad).any(0).nonzero()
        return ids[:, : int(used[-1]) + 1] if len(used) else ids[:, :2]

    # ------------------------------------------------------------------ drawing

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError for a line that cannot be read, or for too many answers to it."""
        super().check(request)
        if request.prompt is not None:
            self._ids_of(request.prompt)
            if request.count > WIDEST:
                most = f"at most {WIDEST} hypotheses of one line are found"
                raise RequestError(f"{most}, not {request.count}: lower count")

    def usual(self) -> Usual:
        return {"beams": BEAMS}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """What lines become, as "source → hypothesis (reference)".

        The lines are held-out ones, always the same; or the ``prompt``, and then the ``count`` best
        hypotheses of one search. ``beams`` (4) is the width of the search; 1 is greedy.
        """
        beams = request.beams or BEAMS
        if request.prompt is not None:
            line = torch.tensor([self._ids_of(request.prompt)], device=self.device)
            told = self._searched(line, max(beams, request.count), request.count)
            return Samples(texts=[f"{request.prompt} → {text}" for text in told])
        picks = torch.arange(request.count) % INPUTS
        sources, references = self.sources[picks[:INPUTS]], self.references[picks[:INPUTS]]
        told = self._greedily(sources) if beams == 1 else self._searched(sources, beams)
        lines = zip(self._told(sources), told, self._told(references), strict=True)
        texts = [f"{source} → {text} ({reference})" for source, text, reference in lines]
        return Samples(texts=[texts[i] for i in picks])

    def _greedy(self, sources: Tensor) -> Tensor:
        """The likeliest tokens [B, T] after ``sources`` [B, S]."""
        step = self._step(self._cut(sources), 1)
        return greedy(step, len(sources), self.length, self.marks, sources.device)

    def _greedily(self, sources: Tensor) -> list[str]:
        ids = self._greedy(sources)
        self._tell(sources, ids)
        return self._told(ids)

    def _searched(self, sources: Tensor, beams: int, wanted: int = 1) -> list[str]:
        """The ``wanted`` best hypotheses of each source, one after the other."""
        found = beam_search(
            self._step(self._cut(sources), beams),
            len(sources),
            self.length,
            self.marks,
            sources.device,
            beams=beams,
            alpha=self.config.length_penalty,
            wanted=wanted,
        )
        ids = found.ids[:, :wanted].flatten(0, 1)
        self._tell(sources.repeat_interleave(wanted, 0), ids)
        return self._told(ids)

    def _tell(self, sources: Tensor, ids: Tensor) -> None:
        """Shows whoever watches how likely every token [B, T] was, and what else might have been.

        A search has many lines in hand: it is told when it has chosen.
        """
        if not is_watched():
            return
        begin = torch.full((len(ids), 1), self.vocabulary.start, device=ids.device)
        logits = self.net(self._cut(sources), torch.cat([begin, ids[:, :-1]], dim=1))  # [B, T, V]
        logits[..., list(self.marks.barred)] = -math.inf
        observer().began(0, [f"{source} → " for source in self._told(sources)])
        longest = int((ids != self.vocabulary.end).sum(1).max())
        for t in range(min(longest + 1, ids.shape[1])):  # with the end of the longest
            observer().chose(0, ids[:, t], logits[:, t])

    def _step(self, sources: Tensor, beams: int) -> Step:
        """Feeds the decoder token by token, with keys and values kept."""
        memory = self.net.encode(sources).repeated(beams)
        cache = self.net.cache(len(sources) * beams)

        def step(tokens: Tensor, origin: Tensor | None) -> Tensor:
            if origin is not None:
                cache.reorder(origin)
            return self.net.decode(tokens, memory, cache)[:, -1]

        return step

    def _told(self, ids: Tensor) -> list[str]:
        return [self.vocabulary.decode(row) for row in ids.tolist()]

    def _ids_of(self, prompt: str) -> list[int]:
        """Ids of a source line.

        Raises:
            RequestError: it cannot be spelled, is empty or too long.
        """
        try:
            ids = self.vocabulary.encode(prompt)
        except ValueError as error:
            raise RequestError(f"the prompt cannot be used: {error}") from None
        most = self.shape.size[0]
        if not 1 <= len(ids) <= most:
            rule = f"the prompt must be a source line of 1 to {most} tokens"
            raise RequestError(f"{rule}, and it has {len(ids)}")
        return ids


def _targets(batch: Batch) -> Tensor:
    """Ids [B, T + 1]: start, tokens, end, padding."""
    if batch.y is None:
        raise ValueError("a batch of pairs has targets")
    return batch.y
