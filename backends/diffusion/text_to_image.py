"""Text to image: a flow whose U-Net attends to the words of a caption.

The flow is that of Liu 2022 and Esser 2024; the caption reaches the network as in Rombach 2022,
"High-Resolution Image Synthesis with Latent Diffusion Models", section 3.3: every level attends to
the states of a text encoder, which is trained along. That is a causal Transformer whose last state
speaks for the whole caption, as in Radford 2021 ("CLIP"), and is added to the time (Nichol 2021,
"GLIDE", section 2.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from backends.diffusion._flow import Flow, PathKnobs
from backends.diffusion._guidance import hidden
from backends.diffusion._pictures import UNetKnobs
from backends.knobs import Bounds, ConfigError
from backends.model import INPUTS, Batch, DataShape, Losses, RequestError, Samples
from backends.nets.blocks import image_size
from backends.nets.transformer import Transformer
from backends.nets.unet import UNet
from backends.records import DataKind, SampleRequest


@dataclass(frozen=True, kw_only=True)
class Config(PathKnobs, UNetKnobs):
    """Knobs of the flow and of its text encoder."""

    text_layers: Annotated[int, "Transformer blocks of the text encoder", Bounds(1, 24)] = 2
    text_width: Annotated[int, "channels of the text encoder", Bounds(16, 1024)] = 64
    caption_dropout: Annotated[float, "share of captions hidden in training", Bounds(0, 1)] = 0.1
    guidance: Annotated[float, "classifier-free guidance of samples; 1 is none", Bounds(0, 20)] = (
        2.0
    )
    conditional: ClassVar[bool] = False
    upscale: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.text_width % 8:
            raise ConfigError(f"text_width {self.text_width} must be a multiple of 8")


class TextEncoder(nn.Module):
    """Captions [B, T], 0 where they have ended, to states [B, T, D] and one of the whole [B, D]."""

    def __init__(self, words: int, tokens: int, layers: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.transformer = Transformer(layers=layers, heads=4, width=width, context=tokens)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        states = self.transformer(self.embed(ids))
        last = (ids > 0).sum(1).sub(1).clamp(min=0)  # [B]
        whole = states[torch.arange(len(ids), device=ids.device), last]
        return states, whole * (ids[:, :1] > 0)  # nothing is said of no caption


class TextToImage(Flow):
    """The velocity field, told by a caption where to go."""

    Config = Config
    learns: ClassVar[DataKind | None] = "captions"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"prompt", "steps", "guidance", "image", "mask", "strength"}
    )
    recipe: ClassVar[Mapping[str, Any]] = {"steps": 400, "lr": 2e-3, "sample_count": 16}
    default_dataset: ClassVar[str] = "fashion-captions"
    kept: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        *size, self.tokens = shape.size
        if shape.vocabulary is None:
            raise ConfigError("this model learns from captions, and the data has no vocabulary")
        self.words = shape.vocabulary
        super().__init__(config, replace(shape, size=tuple(size)))
        self.text = TextEncoder(self.words.size, self.tokens, config.text_layers, config.text_width)
        channels, _, _ = image_size(self.shape, max(4, 2 ** (config.levels - 1)))
        self.net = UNet(
            channels,
            base=config.width,
            levels=config.levels,
            blocks=config.blocks,
            attention=config.attention,
            dropout=config.dropout,
            context=config.text_width,
            hints=config.text_width,
        )
        self.register_buffer("kept", torch.zeros(INPUTS, self.tokens, dtype=torch.long))

    def observe(self, held: Batch) -> None:
        """Keeps held-out captions, which the periodic samples are drawn for."""
        assert held.y is not None
        turns = torch.arange(INPUTS, device=held.y.device) % len(held.y)
        self.kept.copy_(held.y[turns])

    def conditions(self, batch: Batch, x: Tensor | None = None) -> tuple[Tensor | None, None]:
        """Captions [B, T], some of them hidden in training (Ho & Salimans 2022)."""
        assert batch.y is not None
        hide = hidden(batch, self.config.caption_dropout if self.training else 0.0)
        return torch.where(hide[:, None], 0, batch.y), None

    def velocity(self, x: Tensor, t: Tensor, y: Tensor | None, low: Tensor | None) -> Tensor:
        """The learned velocity for captions ``y`` [B, T]; None is no caption."""
        if y is None:
            y = torch.zeros(len(x), self.tokens, dtype=torch.long, device=x.device)
        states, whole = self.text(y)
        return self.net(x, t, None, None, states, y > 0, whole).float()

    def validation(self, batch: Batch) -> Losses:
        """The loss, and how much greater it is with the captions of other pictures."""
        assert batch.y is not None
        again = torch.Generator(batch.x.device).set_state(batch.generator.get_state())
        terms = super().validation(batch)
        others = replace(batch, y=batch.y.roll(1, 0), generator=again)
        return {**terms, "caption_gap": self.loss(others)["loss"] - terms["loss"]}

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError for a prompt of unknown words, or of too many."""
        super().check(request)
        if request.prompt is not None:
            self._ids(request.prompt)

    def condition_of(self, request: SampleRequest) -> Tensor:
        """Captions [count, T]: the prompt, or held-out ones in turn."""
        if request.prompt is not None:
            return self._ids(request.prompt).expand(request.count, -1)
        return self.kept[torch.arange(request.count, device=self.device) % INPUTS]

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        return self._captioned(super().sample(request, generator), request)

    def edit(
        self,
        request: SampleRequest,
        generator: torch.Generator,
        image: Tensor,
        mask: Tensor | None,
    ) -> Samples:
        return self._captioned(super().edit(request, generator, image, mask), request)

    def _captioned(self, drawn: Samples, request: SampleRequest) -> Samples:
        ids = self.condition_of(request).tolist()
        return replace(drawn, labels=[], captions=[self.words.decode(one) for one in ids])

    def _ids(self, prompt: str) -> Tensor:
        try:
            ids = self.words.encode(prompt)
        except ValueError as error:
            raise RequestError(f"the prompt cannot be used: {error}") from None
        if len(ids) > self.tokens:
            sentence = f"the prompt has {len(ids)} words, and the model sees {self.tokens}"
            raise RequestError(f"{sentence}: say it in fewer")
        return torch.tensor([ids + [0] * (self.tokens - len(ids))], device=self.device)
