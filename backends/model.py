"""The contract of a generative model: networks, losses and a sampler, and nothing else.

A model is one file ``backends/<family>/<name>.py`` with one subclass of :class:`Model`. It knows no
optimizer, no file and no screen: :func:`backends.training.train` owns those.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends.records import Modality, SampleRequest

MOST_SAMPLES = 4096
"""What one request may ask for: more would not fit the memory of a small machine."""

REQUEST_BOUNDS = {"temperature": (0, 100), "steps": (1, 1000), "guidance": (-100, 100)}
"""Beyond these a sampler would run for hours or draw nothing that can be looked at."""

Losses = Mapping[str, Tensor]
"""Scalars by name. "loss" is minimised; the other terms are only watched."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's data.

    Attributes:
        x: images [B, C, H, W] in [-1, 1], or token ids [B, T + 1].
        y: class indices [B], or None where the data has no labels.
        generator: source of this step's noise, on the device of ``x``. It depends on nothing but
            (seed, rank, step, purpose), which is why a resumed run repeats the same noise.
        progress: share of the training done, in [0, 1); for warm-ups and schedules of a loss.
    """

    x: Tensor
    y: Tensor | None
    generator: torch.Generator
    progress: float = 0.0

    def randn(self, *size: int) -> Tensor:
        """Standard normal noise on the device of ``x``."""
        return torch.randn(*size, generator=self.generator, device=self.x.device)

    def rand(self, *size: int) -> Tensor:
        """Uniform noise in [0, 1) on the device of ``x``."""
        return torch.rand(*size, generator=self.generator, device=self.x.device)


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a model must know of its data before it is built.

    ``size`` is (channels, height, width) of an image, or (T,) for text: the number of tokens that
    the model sees at once. ``vocabulary`` turns text to ids and back.
    """

    modality: Modality
    size: tuple[int, ...]
    classes: tuple[str, ...] = ()
    vocabulary: "Vocabulary | None" = None

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

    @property
    def start(self) -> int:
        """The id that sampling begins with when there is no prompt."""
        return 0


@dataclass(frozen=True, slots=True)
class Phase:
    """One optimizer's turn within a training step.

    Attributes:
        name: prefix of its logged terms: "G", "D"; empty if there is one phase.
        module: whose parameters this turn moves; all others are frozen meanwhile.
        loss: the terms of a batch; "loss" is minimised.
        every: the turn is taken on every n-th step.
    """

    name: str
    module: nn.Module
    loss: Callable[[Batch], Losses]
    every: int = 1


@dataclass(frozen=True, slots=True)
class Samples:
    """What was drawn: images [N, C, H, W] in [-1, 1], or texts; labels where there are any."""

    images: Tensor | None = None
    texts: Sequence[str] = ()
    labels: Sequence[int] = ()


class RequestError(ValueError):
    """A request that the model cannot honour; the message is one sentence."""


class Model(nn.Module, ABC):
    """Networks, losses and sampler of one generative model.

    Subclasses set ``Config`` (a frozen, keyword-only dataclass of annotated knobs), ``modality``,
    ``asks`` (the fields of a SampleRequest they honour besides ``count`` and ``seed``) and
    ``recipe`` (defaults of the loop that differ from TrainConfig's), and are built as
    ``Model(config, shape)``. The first line of the module's docstring is the caption.
    """

    Config: ClassVar[type]
    modality: ClassVar[Modality]
    asks: ClassVar[frozenset[str]] = frozenset()
    recipe: ClassVar[Mapping[str, Any]] = {}
    default_dataset: ClassVar[str] = ""

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape

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

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError where ``request`` asks for what this model cannot do."""
        if not 1 <= request.count <= MOST_SAMPLES:
            raise RequestError(f"count must be from 1 to {MOST_SAMPLES}, not {request.count}")
        asked = {"labels", "prompt", "length", "temperature", "top_k", "steps", "guidance"}
        for name in sorted(asked - self.asks):
            if getattr(request, name) is not None:
                offered = ", ".join(sorted(self.asks)) or "count and seed alone"
                raise RequestError(f"this model cannot be asked for {name}; it offers {offered}")
        for name, (low, high) in REQUEST_BOUNDS.items():
            value = getattr(request, name)
            if value is not None and not low <= value <= high:
                sentence = f"{name} must be at least {low} and at most {high}, not {value:g}"
                raise RequestError(sentence)
        if request.labels and not self.shape.num_classes:
            raise RequestError("this model was trained without labels and cannot be asked for one")
        for label in request.labels or []:
            if not 0 <= label < self.shape.num_classes:
                last = self.shape.num_classes - 1
                raise RequestError(f"label {label} does not exist; labels go from 0 to {last}")

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def labels_of(self, request: SampleRequest) -> Tensor | None:
        """Class indices [count] of a request: as asked, else every class in turn; None if none."""
        if not self.shape.num_classes:
            return None
        wanted = request.labels or list(range(self.shape.num_classes))
        cycle = [wanted[i % len(wanted)] for i in range(request.count)]
        return torch.tensor(cycle, device=self.device)
