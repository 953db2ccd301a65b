"""What all language models share: their loss, what they can be asked for, and how texts begin."""

import math
from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.asking import Usual
from backends.knobs import ConfigError
from backends.model import DataShape, Losses, Model, RequestError, Samples, Vocabulary
from backends.nets.blocks import chunks
from backends.nets.drawing import draw
from backends.records import Modality, SampleRequest
from backends.watching import Choose, observer, telling

LENGTH, LENGTH_LIMIT = 256, 65_536
TEMPERATURE = 0.8


class LanguageModel(Model):
    """p(x) = Π p(x_t | x_<t), each factor a softmax over the vocabulary of ``shape``.

    Learns from ids [B, T + 1] below V; T is ``shape.size[0]`` and V ``shape.vocabulary.size``.
    """

    modality: ClassVar[Modality] = "text"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"prompt", "length", "temperature", "top_k", "top_p"}
    )
    default_dataset: ClassVar[str] = "shakespeare-mini"
    compares: ClassVar[str] = "loss"
    lengths: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        if shape.vocabulary is None:
            raise ConfigError("this model learns from text, and the data has no vocabulary")
        self.vocabulary: Vocabulary = shape.vocabulary
        lengths = torch.tensor(self.vocabulary.lengths(), dtype=torch.float32)  # [V]
        self.register_buffer("lengths", lengths, persistent=False)

    @abstractmethod
    def continuations(self, ids: Tensor, length: int, choose: Choose) -> Tensor:
        """The next ``length`` tokens [B, length] after ``ids`` [B, n]."""

    def at_once(self) -> int:
        """How many texts may be drawn side by side."""
        return 64

    def terms(self, logits: Tensor, targets: Tensor) -> Losses:
        """Cross-entropy of logits [B, T, V] in nats a token, and in bits a byte of the text."""
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        bits = loss.detach() * targets.numel() / math.log(2)
        return {"loss": loss, "bits_per_byte": bits / self.lengths[targets].sum()}

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError for what this model cannot do, or for a number out of its range."""
        super().check(request)
        if request.length is not None and not 1 <= request.length <= LENGTH_LIMIT:
            asked = f"not {request.length}"
            raise RequestError(f"length must be at least 1 and at most {LENGTH_LIMIT}, {asked}")
        self.encode(request.prompt)

    def usual(self) -> Usual:
        return {"temperature": TEMPERATURE, "length": LENGTH}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """``count`` texts: the prompt, then ``length`` tokens (256 unless asked otherwise).

        Without a prompt a text follows the vocabulary's start, which is not part of it. The
        ``temperature`` (0.8) may be 0: then the likeliest token is always taken. ``top_k`` and
        ``top_p`` leave the likeliest tokens alone.

        Raises:
            RequestError: for a prompt that the vocabulary cannot spell, or a number out of range.
        """
        self.check(request)
        most = self.at_once()
        with torch.inference_mode():
            parts = [self._texts(part, request, generator) for part in chunks(request.count, most)]
        return Samples(texts=[text for part in parts for text in part])

    def _texts(self, part: slice, request: SampleRequest, generator: torch.Generator) -> list[str]:
        prompt = self.encode(request.prompt)
        begin = torch.tensor(prompt or [self.vocabulary.start], device=self.device)  # [n]
        choose = partial(
            draw,
            temperature=TEMPERATURE if request.temperature is None else request.temperature,
            top_k=request.top_k,
            top_p=request.top_p,
            generator=generator,
        )
        length = request.length or LENGTH
        told = self.vocabulary.decode(prompt)
        observer().began(part.start, [told] * (part.stop - part.start))
        choose = telling(choose, first=part.start, count=request.count, tokens=length)
        ids = self.continuations(begin.repeat(part.stop - part.start, 1), length, choose)
        return [self.vocabulary.decode(prompt + new) for new in ids.tolist()]

    def encode(self, prompt: str | None) -> list[int]:
        """Ids of a prompt, which may be empty; a RequestError where it cannot be spelled."""
        try:
            return self.vocabulary.encode(prompt or "")
        except ValueError as error:
            raise RequestError(f"the prompt cannot be used: {error}") from None
