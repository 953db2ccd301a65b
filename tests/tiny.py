"""Toys for the engine's tests: models of a few weights, a few pictures, and what to compare."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backends import catalogue
from backends.data import Dataset, Images
from backends.datasets import _entries
from backends.datasets._resolve import load_dataset
from backends.knobs import ConfigError, configure, knobs
from backends.model import Batch, DataShape, Losses, Model, Phase, Samples
from backends.recipe import TrainConfig
from backends.records import Command, Modality, Record, SampleRequest, Start, Step
from backends.training import Job, train

SIDE = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    """No knobs."""


class Tiny(Model):
    """Takes noise out of pictures. Its dropout and batch norm notice every disturbance."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature"})

    def __init__(self, shape: DataShape) -> None:
        super().__init__(Config(), shape)
        n = SIDE * SIDE
        self.net = nn.Sequential(
            *(nn.Flatten(), nn.Linear(n, 8), nn.BatchNorm1d(8), nn.SiLU()),
            *(nn.Dropout(0.2), nn.Linear(8, n), nn.Unflatten(1, (1, SIDE, SIDE))),
        )

    def loss(self, batch: Batch) -> Losses:
        noisy = batch.x + 0.3 * batch.randn(*batch.x.shape)
        error = (self.net(noisy) - batch.x).float()
        return {"loss": error.square().mean(), "worst": error.detach().abs().amax()}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        x = torch.randn(request.count, 1, SIDE, SIDE, generator=generator)
        labels = self.labels_of(request)
        return Samples(self.net(x).clamp(-1, 1), labels=[] if labels is None else labels.tolist())


class Duel(Model):
    """Two players and a third turn, now and then, of the first one's weights."""

    Config = Config
    modality: ClassVar[Modality] = "image"

    def __init__(self, shape: DataShape) -> None:
        super().__init__(Config(), shape)
        n = SIDE * SIDE
        self.judge = nn.Sequential(nn.Flatten(), nn.Linear(n, 8), nn.SiLU(), nn.Linear(8, 1))
        self.maker = nn.Sequential(nn.Linear(4, n), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE)))
        self.seen: list[tuple[str, int, bool, bool]] = []
        """(turn, batch size, whether the judge learns, whether the maker learns) of every turn."""

    def phases(self) -> Sequence[Phase]:
        return [
            Phase("D", self.judge, self._judge_loss),
            Phase("R", self.judge, self._penalty, every=4),
            Phase("G", self.maker, self._maker_loss, every=2),
        ]

    def validation(self, batch: Batch) -> Losses:
        fake = self.maker(batch.randn(len(batch.x), 4))
        return {"gap": (self.judge(batch.x) - self.judge(fake)).mean()}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        return Samples(self.maker(torch.randn(request.count, 4, generator=generator)))

    def _judge_loss(self, batch: Batch) -> Losses:
        self._note("D", batch)
        fake = self.maker(batch.randn(len(batch.x), 4))
        return {"loss": (self.judge(fake) - self.judge(batch.x)).mean() + self._norm()}

    def _penalty(self, batch: Batch) -> Losses:
        self._note("R", batch)
        return {"loss": self.judge(batch.x).square().mean()}

    def _maker_loss(self, batch: Batch) -> Losses:
        self._note("G", batch)
        return {"loss": -self.judge(self.maker(batch.randn(len(batch.x), 4))).mean()}

    def _norm(self) -> Tensor:
        return torch.stack([p.square().sum() for p in self.judge.parameters()]).sum()

    def _note(self, turn: str, batch: Batch) -> None:
        learns = [all(p.requires_grad for p in m.parameters()) for m in (self.judge, self.maker)]
        self.seen.append((turn, len(batch.x), learns[0], learns[1]))


def pictures(count: int = 42) -> Dataset:
    """Noise in two classes; the last ten are held out."""
    source = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 1, SIDE, SIDE), generator=source, dtype=torch.uint8)
    labels = torch.arange(count) % 2
    held = count - 10
    return Dataset(
        DataShape("image", (1, SIDE, SIDE), ("even", "odd")),
        Images(pixels[:held], labels[:held], flip=True),
        Images(pixels[held:], labels[held:]),
    )


def recipe(**changes: Any) -> TrainConfig:
    """A plain training of eight steps, with nothing else going on."""
    quiet = {"validate_every": 0, "sample_every": 0, "checkpoint_every": 0, "checkpoint_minutes": 0}
    plain = {"steps": 8, "batch_size": 5, "log_every": 1, "sample_count": 2, "warmup_steps": 2}
    exact = {"precision": "float32", "threads": 1}
    return TrainConfig(**{**quiet, **plain, **exact, **changes})


def tiny(kind: Callable[[DataShape], Model] = Tiny, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return kind(pictures().shape)


def job(folder: Path, model: Model | None = None, **changes: Any) -> Job:
    """A training of a toy in ``folder``; ``changes`` are knobs of the loop or fields of the job."""
    known = set(Job.__dataclass_fields__)
    fields = {name: changes.pop(name) for name in list(changes) if name in known}
    return Job(
        model=model or tiny(),
        folder=folder,
        config=recipe(**changes),
        **{"dataset": pictures(), **fields},
    )


def run(folder: Path, model: Model | None = None, **changes: Any) -> list[Record]:
    """All records of a training of a toy."""
    return list(train(job(folder, model, **changes)))


class Inbox:
    """Commands by the look that finds them: look 0 is before the first step, one after each."""

    def __init__(self, plan: Mapping[int, Iterable[Command]]) -> None:
        self.plan, self.looks = dict(plan), itertools.count()

    def __call__(self) -> Iterator[Command]:
        yield from self.plan.get(next(self.looks), ())


def command(verb: Any, **fields: Any) -> Command:
    return Command(**{"id": f"{verb}-1", "verb": verb, "t": 0.0, "by": "me", **fields})


def points(records: Iterable[Record]) -> dict[int, dict[str, Any]]:
    """The series by step, folded: a Start drops what was logged beyond its step."""
    found: dict[int, dict[str, Any]] = {}
    for record in records:
        if isinstance(record, Start):
            found = {step: values for step, values in found.items() if step <= record.step}
        elif isinstance(record, Step):
            found[record.step] = record.values
    return found


def same(one: Any, two: Any) -> bool:
    """Whether two states are equal to the last bit, in types, order of keys and NaNs too."""
    if isinstance(one, Tensor) or isinstance(two, Tensor):
        return _same_tensors(one, two)
    if isinstance(one, float) and isinstance(two, float):
        return (one, math.copysign(1, one)) == (two, math.copysign(1, two)) or (
            math.isnan(one) and math.isnan(two)
        )
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return (
            type(one) is type(two)
            and len(one) == len(two)
            and all(same(a, b) for a, b in zip(one, two, strict=True))
        )
    return type(one) is type(two) and one == two


def _same_tensors(one: Any, two: Any) -> bool:
    if not (isinstance(one, Tensor) and isinstance(two, Tensor)):
        return False
    if (one.dtype, one.shape) != (two.dtype, two.shape):
        return False
    as_bytes = [t.detach().cpu().contiguous().reshape(-1).view(torch.uint8) for t in (one, two)]
    return torch.equal(*as_bytes)


def smallest(name: str, **chosen: Any) -> tuple[Model, Dataset]:
    """A discovered model in its smallest form, untrained, and a data set that it learns from.

    ``chosen`` are knobs of the model.
    """
    kind = catalogue.load(name)
    entry = _entries.entry(kind.default_dataset)
    small = {"context": "8", "length": "256"}
    short = {knob.name: small[knob.name] for knob in knobs(entry.Config) if knob.name in small}
    dataset = load_dataset(kind.default_dataset, kind.data_kind(), short, 0.01, 4)
    low = {k.name: k.low for k in knobs(kind.Config) if k.kind == "int" and k.low is not None}
    if "attention" in {knob.name for knob in knobs(kind.Config)}:
        low["levels"] = 2  # it costs the square of a level's pixels
    widths = {name: value for name, value in low.items() if "width" in name}
    for wanted in (low, widths, {}):
        torch.manual_seed(0)
        try:
            return kind(configure(kind.Config, {**wanted, **chosen}), dataset.shape), dataset
        except ConfigError:
            continue
    raise AssertionError(f"{name} cannot be built with its defaults")
