"""The contract of a generative model: networks, losses and a sampler, and nothing else.

A model is one file ``backends/<family>/<name>.py`` with one subclass of :class:`Model`. It knows no
optimizer, no file and no screen: :func:`backends.training.train` owns those.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends.asking import BOUNDS, MOST_SAMPLES, Usual
from backends.records import DataKind, Modality, SampleRequest

INPUTS = 64
"""Held-out items that a model is shown before the first step; see :meth:`Model.observe`."""

Losses = Mapping[str, Tensor]
"""Scalars by name. "loss" is minimised; the other terms are only watched."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's data.

    Attributes:
        x: images [B, C, H, W] in [-1, 1]; token ids [B, T + 1]; waveforms [B, 1, L] in [-1, 1];
            series [B, C, context + horizon], standardised; source ids [B, S] of pairs.
        y: class indices [B], or None where the data has no labels; target ids [B, T + 1] of pairs
            and ids [B, T] of captions, padded with the vocabulary's ``pad``.
        generator: source of this step's noise, on the device of ``x``. It depends on nothing but
            (seed, rank, step, purpose), which is why a resumed run repeats the same noise.
        progress: share of the training done, in [0, 1); for warm-ups and schedules of a loss.
        first: index of ``x[0]`` among the step's items: 0, but in the later micro-batches of a step
            that is accumulated.
    """

    x: Tensor
    y: Tensor | None
    generator: torch.Generator
    progress: float = 0.0
    first: int = 0

    def randn(self, *size: int) -> Tensor:
        """Standard normal noise on the device of ``x``."""
        return torch.randn(*size, generator=self.generator, device=self.x.device)

    def rand(self, *size: int) -> Tensor:
        """Uniform noise in [0, 1) on the device of ``x``."""
        return torch.rand(*size, generator=self.generator, device=self.x.device)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of numbers: ``value = mean + std * standardised``."""

    name: str
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a model must know of its data before it is built.

    Attributes:
        modality: the kind of data.
        size: (C, H, W) of images; (T,) of text, the tokens that the model sees at once; (1, L) of
            audio; (C, context, horizon) of series; (S, T) of pairs, source and target tokens;
            (C, H, W, T) of pictures with captions of T tokens.
        classes: names of the labels; none where the data has no labels.
        vocabulary: turns text to ids and back.
        rate: samples a second of audio, in Hz.
        columns: of series, C of them.
    """

    modality: DataKind
    size: tuple[int, ...]
    classes: tuple[str, ...] = ()
    vocabulary: "Vocabulary | None" = None
    rate: int = 0
    columns: tuple[Column, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.classes)


class Vocabulary(ABC):
    """Text to token ids and back."""

    size: int

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of ``text``.

        Raises:
            ValueError: for a character that the vocabulary lacks, naming it.
        """

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids``."""

    def lengths(self) -> list[int]:
        """Bytes of each id's text in UTF-8."""
        texts = [self.decode([i]) for i in range(self.size)]
        return [len(text.encode("utf-8", "surrogatepass")) for text in texts]

    @property
    def start(self) -> int:
        """The id that sampling begins with when there is no prompt."""
        return 0

    @property
    def pad(self) -> int:
        """The id that fills up lines of different lengths; only vocabularies of lines have one."""
        return 0

    @property
    def end(self) -> int:
        """The id that ends a line; only vocabularies of lines have one."""
        return self.start


@dataclass(frozen=True, slots=True)
class Phase:
    """One optimizer's turn within a training step.

    Attributes:
        name: prefix of its logged terms: "G", "D"; empty if there is one phase.
        module: whose parameters this turn moves; all others are frozen meanwhile.
        loss: the terms of a batch; "loss" is minimised.
        every: the turn is taken on every n-th step.
        lr: learning rate of this turn over that of the loop (TTUR, Heusel 2017).
        after: called without gradients when the weights have moved, as weight clipping needs it.
    """

    name: str
    module: nn.Module
    loss: Callable[[Batch], Losses]
    every: int = 1
    lr: float = 1.0
    after: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Futures of series, in the columns' own units.

    Attributes:
        past: [N, C, context].
        paths: [N, S, C, horizon], S draws of each future.
        future: [N, C, horizon], what really came; NaN where nobody knows.
        columns: names of the C columns.
    """

    past: Tensor
    paths: Tensor
    future: Tensor
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Samples:
    """What was drawn.

    Attributes:
        images: [N, C, H, W] in [-1, 1].
        texts: N texts.
        audio: [N, L] in [-1, 1] at ``rate`` samples a second.
        forecasts: of N series.
        labels: class of each sample, where there are classes.
        captions: what each sample was drawn for, where that is a text.
    """

    images: Tensor | None = None
    texts: Sequence[str] = ()
    labels: Sequence[int] = ()
    audio: Tensor | None = None
    rate: int = 0
    forecasts: Forecasts | None = None
    captions: Sequence[str] = ()


class RequestError(ValueError):
    """A request that the model cannot honour; the message is one sentence."""


class Model(nn.Module, ABC):
    """Networks, losses and sampler of one generative model.

    Subclasses set ``Config`` (a frozen, keyword-only dataclass of annotated knobs), ``modality``
    (of the samples), ``learns`` (the kind of data, where it has another name), ``asks`` (the fields
    of a SampleRequest they honour besides ``count`` and ``seed``) and ``recipe`` (defaults of the
    loop that differ from TrainConfig's), and are built as ``Model(config, shape)``. The first line
    of the module's docstring is the caption.

    ``sequential`` models see their data in order: item i of a batch goes on where item i of the
    batch before ended. ``compares`` is the term that the ``baselines`` of a data set are values of,
    where there is one: they are logged beside it. ``fitted`` is the term whose values on held-out
    data and in training are compared as ``gap``: one that means the same in both.
    """

    Config: ClassVar[type]
    modality: ClassVar[Modality]
    learns: ClassVar[DataKind | None] = None
    asks: ClassVar[frozenset[str]] = frozenset()
    recipe: ClassVar[Mapping[str, Any]] = {}
    default_dataset: ClassVar[str] = ""
    sequential: ClassVar[bool] = False
    compares: ClassVar[str] = ""
    fitted: ClassVar[str] = "loss"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape

    @classmethod
    def data_kind(cls) -> DataKind:
        """The kind of data it learns from."""
        return cls.learns or cls.modality

    @classmethod
    def recipe_for(cls, config: Any) -> Mapping[str, Any]:
        """Defaults of the loop for a Config: ``recipe``, and what a choice in it needs instead."""
        return cls.recipe

    def observe(self, held: Batch) -> None:
        """Looks once, before the first step, at up to INPUTS held-out items.

        What drawing needs of real data is copied to buffers of fixed shapes: the lines that a
        translator translates, the series that a forecast goes on from. So a checkpoint is enough to
        sample from.
        """

    def carry(self, lanes: int) -> None:
        """Makes room for what a ``sequential`` model carries over in each of ``lanes``.

        Called once before a training, with the number of items in a step; what is carried lies in
        buffers, and a micro-batch begins at the lane ``batch.first``.
        """

    def phases(self) -> Sequence[Phase]:
        """The turns of one training step, in order."""
        return [Phase("", self, self.loss)]

    def loss(self, batch: Batch) -> Losses:
        """Terms of a batch; "loss" is minimised. A model of several phases overrides phases()."""
        raise TypeError(f"{type(self).__name__} defines neither loss() nor phases()")

    def validation(self, batch: Batch) -> Losses:
        """Terms of a held-out batch, in eval mode and without gradients."""
        return self.loss(batch)

    @abstractmethod
    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Draws ``request.count`` samples, in eval mode and without gradients.

        All randomness comes from ``generator``, which the caller seeds from the request.
        """

    def edit(
        self,
        request: SampleRequest,
        generator: torch.Generator,
        image: Tensor,
        mask: Tensor | None,
    ) -> Samples:
        """Draws from a picture: models whose ``asks`` has "image" define it.

        Args:
            image: [1, C, H, W] in [-1, 1] of any size, with the channels of the data.
            mask: [1, 1, H, W] in [0, 1], 1 where ``image`` is to be filled in; or None.
        """
        raise RequestError("this model cannot be asked for image")

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError where ``request`` asks for what this model cannot do."""
        if not 1 <= request.count <= MOST_SAMPLES:
            raise RequestError(f"count must be from 1 to {MOST_SAMPLES}, not {request.count}")
        asked = set(SampleRequest.__struct_fields__) - {"count", "seed"}
        for name in sorted(asked - self.asks):
            if getattr(request, name) is not None:
                offered = ", ".join(sorted(self.asks)) or "count and seed alone"
                raise RequestError(f"this model cannot be asked for {name}; it offers {offered}")
        for name, (low, high) in BOUNDS.items():
            value = getattr(request, name)
            if value is not None and not low <= value <= high:
                most = f" and at most {high:g}" if math.isfinite(high) else ""
                raise RequestError(f"{name} must be at least {low:g}{most}, not {value:g}")
        if request.mask is not None and request.image is None:
            raise RequestError("a mask says where an image is to be filled in: give the image too")
        self._check_neighbours(request)
        self._check_labels(request)

    def _check_neighbours(self, request: SampleRequest) -> None:
        if request.around is not None and request.around >= request.count:
            last = f"the last of {request.count} samples is number {request.count - 1}"
            raise RequestError(f"{last}, and {request.around} is not among them")
        if request.around is not None and request.interpolate:
            raise RequestError("interpolate and around are two ways to draw: ask for one of them")
        if request.spread is not None and request.around is None:
            raise RequestError("spread is how far neighbours go: say around which sample")

    def _check_labels(self, request: SampleRequest) -> None:
        if request.labels and not self.shape.num_classes:
            raise RequestError("this model was trained without labels and cannot be asked for one")
        for label in request.labels or []:
            if not 0 <= label < self.shape.num_classes:
                last = self.shape.num_classes - 1
                raise RequestError(f"label {label} does not exist; labels go from 0 to {last}")

    def usual(self) -> Usual:
        """What fields of a request mean where they are None, as far as that is a number."""
        return {}

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def labels_of(self, request: SampleRequest) -> Tensor | None:
        """Class indices [count] of a request: as asked, else every class in turn; None if none.

        The neighbours of a sample are of its class.
        """
        if not self.shape.num_classes:
            return None
        wanted = request.labels or list(range(self.shape.num_classes))
        cycle = [wanted[i % len(wanted)] for i in range(request.count)]
        if request.around is not None:
            cycle = [cycle[request.around]] * request.count
        return torch.tensor(cycle, device=self.device)
