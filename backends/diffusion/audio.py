"""Audio: a flow draws log-mel spectrograms, and Griffin-Lim turns them into sound.

The flow is that of Liu 2022 on the spectrogram as a picture, with the family's U-Net (Popov 2021,
"Grad-TTS", draws mel spectrograms the same way); the waveform comes back by Griffin & Lim 1984, so
that no vocoder need be learned or downloaded. What the mel scale and the phases have lost stays
lost: drums survive it better than voices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional as F

from backends.diffusion._flow import Flow, PathKnobs
from backends.diffusion._pictures import RECIPE, UNetKnobs
from backends.knob import LABELS
from backends.knobs import Bounds, ConfigError, Only
from backends.model import Batch, DataShape, Losses, Phase, Samples
from backends.nets.mel import MelSpectrogram
from backends.nets.unet import UNet
from backends.records import DataKind, Modality, SampleRequest


@dataclass(frozen=True, kw_only=True)
class Config(PathKnobs, UNetKnobs):
    """Knobs of the flow and of the spectrogram."""

    mels: Annotated[int, "rows of the spectrogram: filters of the mel scale", Bounds(16, 256)] = 32
    hop: Annotated[
        int,
        "samples from column to column of it; a window has four times as many",
        Bounds(16, 1024),
    ] = 64
    phases: Annotated[int, "iterations of Griffin-Lim", Bounds(1, 1000)] = 64
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True
    label_dropout: Annotated[
        float, "share of labels hidden in training", Bounds(0, 1), Only("conditional", True)
    ] = 0.1
    upscale: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.mels % 2 ** (self.levels - 1):
            halved = f"to be halved {self.levels - 1} times by levels {self.levels}"
            raise ConfigError(
                f"mels {self.mels} must be a multiple of {2 ** (self.levels - 1)}, {halved}"
            )


class AudioFlow(Flow):
    """The flow of spectrograms and its vocoder."""

    Config = Config
    modality: ClassVar[Modality] = "audio"
    learns: ClassVar[DataKind | None] = "audio"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "steps", "guidance"})
    recipe: ClassVar[Mapping[str, Any]] = {
        **RECIPE,
        "batch_size": 16,
        "ema_half_life": 50.0,
        "validate_every": 100,
        "sample_count": 36,
    }
    default_dataset: ClassVar[str] = "oneshots-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        if shape.modality != "audio":
            raise ConfigError(f"this model learns from sounds, not from {shape.modality} data")
        self.length, self.rate = shape.size[1], shape.rate
        multiple = config.hop * 2 ** (config.levels - 1)
        self.padding = -self.length % multiple  # samples of silence, to fill the last columns
        frames = (self.length + self.padding) // config.hop
        super().__init__(config, replace(shape, size=(1, config.mels, frames)))
        self.mel = MelSpectrogram(shape.rate, config.mels, 4 * config.hop, config.hop)
        self.net = UNet(
            1,
            base=config.width,
            levels=config.levels,
            blocks=config.blocks,
            classes=self.shape.num_classes,
            attention=config.attention,
            dropout=config.dropout,
        )

    def phases(self) -> Sequence[Phase]:
        return [Phase("", self, lambda batch: self.loss(self.seen(batch)))]

    def validation(self, batch: Batch) -> Losses:
        return super().validation(self.seen(batch))

    def seen(self, batch: Batch) -> Batch:
        """The batch with the picture [B, 1, mels, frames] of each waveform [B, 1, L]."""
        with torch.autocast(batch.x.device.type, enabled=False):
            return replace(batch, x=self.mel(F.pad(batch.x, (0, self.padding))[:, 0])[:, None])

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        drawn = super().sample(request, generator)
        assert drawn.images is not None
        with torch.autocast(self.device.type, enabled=False):
            wave = self.mel.wave(drawn.images[:, 0], generator, self.config.phases)
        return Samples(audio=wave[:, : self.length], rate=self.rate, labels=drawn.labels)
