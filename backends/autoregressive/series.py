"""Series: a Transformer forecasts columns of numbers, with a distribution for every step.

Salinas et al. 2020, "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks",
with a causal Transformer in place of the recurrent network (Rasul 2023, "Lag-Llama"):

    p(x_{T+1:T+h} | x_{1:T}) = Π_t p(x_t | x_<t),   each factor a Student t for every column.

A window is scaled by its own context (DeepAR, section 3.3), forecasts are paths drawn step by step.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.asking import Usual
from backends.knobs import Bounds, ConfigError
from backends.metrics.crps import crps_samples
from backends.model import Batch, DataShape, Forecasts, Losses, Model, RequestError, Samples
from backends.nets.transformer import Transformer, linear
from backends.records import DataKind, Modality, SampleRequest

KEPT, PATHS, JUDGED = 16, 100, 32
"""Held-out windows kept for samples; paths of a drawn forecast, and of one that is scored."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the network. Context and horizon are knobs of the data."""

    layers: Annotated[int, "Transformer blocks", Bounds(1, 32)] = 2
    heads: Annotated[int, "attention heads a block; must divide width", Bounds(1, 32)] = 4
    width: Annotated[int, "channels of the residual stream", Bounds(8, 1024)] = 64
    dropout: Annotated[float, "share of each branch's output dropped", Bounds(0, 0.9)] = 0.2

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ConfigError(f"width {self.width} must be a multiple of 2 x heads {self.heads}")


class StudentT(NamedTuple):
    """Location, scale and degrees of freedom, all of one shape."""

    loc: Tensor
    scale: Tensor
    df: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Logarithm of the density at ``x``."""
        known = torch.distributions.StudentT(self.df, self.loc, self.scale, validate_args=False)
        return known.log_prob(x)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One draw of each, by Bailey 1994: sqrt(df (U^(-2/df) - 1)) cos(2 π V), U, V uniform."""
        u, v = (
            torch.rand(self.loc.shape, generator=generator, device=self.loc.device)
            for _ in range(2)
        )
        radius = (self.df * torch.expm1(-2 / self.df * u.clamp_min(1e-12).log())).sqrt()
        return self.loc + self.scale * radius * torch.cos(2 * math.pi * v)


class Series(Model):
    """The network and its forecasts."""

    Config = Config
    modality: ClassVar[Modality] = "series"
    learns: ClassVar[DataKind | None] = "series"
    asks: ClassVar[frozenset[str]] = frozenset({"length"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 200,
        "batch_size": 32,
        "lr": 3e-3,
        "weight_decay": 0.1,
        "validate_every": 50,
        "sample_every": 100,
        "sample_count": 6,
        "validate_batches": 1,
    }
    default_dataset: ClassVar[str] = "co2"
    kept: Tensor

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        columns, self.context, self.horizon = shape.size
        self.embed = linear(2 * columns, config.width)
        self.transformer = Transformer(
            layers=config.layers,
            heads=config.heads,
            width=config.width,
            context=self.context + self.horizon,
            dropout=config.dropout,
        )
        self.head = nn.Linear(config.width, 3 * columns)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("kept", torch.zeros(KEPT, columns, self.context + self.horizon))

    def observe(self, held: Batch) -> None:
        """Keeps held-out windows, evenly spread; the last one ends where the data end."""
        picks = torch.linspace(0, len(held.x) - 1, KEPT).round().long()
        self.kept.copy_(held.x[picks.to(held.x.device)])

    def forward(self, v: Tensor, cache: Any = None, before: Tensor | None = None) -> StudentT:
        """What follows each of the scaled values ``v`` [B, n, C]: a Student t of shape [B, n, C].

        The location is the last value and what the network adds to it, so that an untrained one
        forecasts that nothing changes. ``before`` [B, 1, C] is the value before the first.
        """
        first = v[:, :1] if before is None else before
        change = v - torch.cat([first, v[:, :-1]], dim=1)
        h = self.transformer(self.embed(torch.cat([v, change], dim=2)), cache)
        delta, log_scale, df = self.head(h).float().chunk(3, dim=2)
        scale = (log_scale - 2).clamp(-9, 5).exp()
        return StudentT(v + delta, scale, 2.1 + F.softplus(df + 2))

    def scaled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``x`` [B, C, n] as [B, n, C] in the units of its own context, and that context's last
        value and spread [B, 1, C]."""
        past = x[:, :, : self.context]
        loc, spread = past[:, :, -1:], past.std(2, keepdim=True, correction=0).clamp_min(1e-3)
        return ((x - loc) / spread).transpose(1, 2), loc.transpose(1, 2), spread.transpose(1, 2)

    def loss(self, batch: Batch) -> Losses:
        """Negative log-likelihood of every next value, in nats, in the data's standard units."""
        v, _, spread = self.scaled(batch.x)
        found = self(v[:, :-1])
        nats = -found.log_prob(v[:, 1:]) + spread.log()  # change of variables back from v
        horizon = nats[:, self.context - 1 :]
        return {"loss": nats.mean(), "horizon_nll": horizon.detach().mean()}

    def validation(self, batch: Batch) -> Losses:
        """The loss, the CRPS of whole forecasts beside that of "nothing changes", and how often the
        central half and nine tenths of the paths hold what came."""
        future = batch.x[:, :, self.context :]
        paths = self.paths(batch.x[:, :, : self.context], JUDGED, self.horizon, batch.generator)
        last = batch.x[:, :, self.context - 1 : self.context]
        return {
            **self.loss(batch),
            "crps": crps_samples(paths.transpose(0, 1), future).mean(),
            "Naive/crps": (future - last).abs().mean(),  # CRPS of a forecast without spread
            "coverage/50": _inside(paths, future, 0.5),
            "coverage/90": _inside(paths, future, 0.9),
        }

    def paths(self, past: Tensor, count: int, steps: int, generator: torch.Generator) -> Tensor:
        """``count`` futures [B, count, C, steps] of each ``past`` [B, C, context]."""
        v, loc, spread = self.scaled(past.repeat_interleave(count, 0))  # [B·count, context, C]
        cache = self.transformer.cache(len(v))
        found, drawn, before = self(v, cache), list[Tensor](), v[:, -1:]
        for _ in range(steps):
            value = StudentT(*(part[:, -1:] for part in found)).draw(generator)
            drawn.append(value)
            if len(drawn) < steps:
                found, before = self(value, cache, before), value
        futures = torch.cat(drawn, dim=1) * spread + loc  # [B·count, steps, C]
        return futures.transpose(1, 2).unflatten(0, (len(past), count))

    def check(self, request: SampleRequest) -> None:
        """Raises RequestError where ``request`` asks for what this model cannot do."""
        super().check(request)
        if request.length is not None and not 1 <= request.length <= self.horizon:
            sentence = f"length must be from 1 to the horizon {self.horizon}, not {request.length}"
            raise RequestError(sentence)

    def usual(self) -> Usual:
        return {"length": self.horizon}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Forecasts: the first goes on beyond the data's end, the others from held-out windows,
        beside what came."""
        steps, turns = request.length or self.horizon, range(request.count)
        windows = torch.stack([self.kept[(KEPT - 1 - i) % KEPT] for i in turns])
        future = windows[:, :, self.context : self.context + steps].clone()
        past = windows[:, :, : self.context].clone()
        past[0] = self.kept[-1][:, self.horizon :]
        future[0] = math.nan
        with torch.autocast(self.device.type, enabled=False):
            paths = self.paths(past, PATHS, steps, generator)
        names = [column.name for column in self.shape.columns]
        return Samples(
            forecasts=Forecasts(
                self._in_units(past), self._in_units(paths), self._in_units(future), names
            )
        )

    def _in_units(self, x: Tensor) -> Tensor:
        """Standardised values [..., C, n] in the units of their columns."""
        mean, std = (
            torch.tensor([getattr(column, part) for column in self.shape.columns], device=x.device)
            for part in ("mean", "std")
        )
        return x * std[:, None] + mean[:, None]


def _inside(paths: Tensor, future: Tensor, share: float) -> Tensor:
    """How often the central ``share`` of ``paths`` [B, S, C, n] holds ``future`` [B, C, n]."""
    ends = torch.tensor([(1 - share) / 2, (1 + share) / 2], device=paths.device)
    low, high = paths.quantile(ends, dim=1)
    return ((low <= future) & (future <= high)).float().mean()
