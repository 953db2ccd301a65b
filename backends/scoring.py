"""Scores of a checkpoint: its own loss on all held-out data, and its pictures beside real ones.

Same checkpoint, data, seed and count: same scores. Scores of different counts or feature spaces do
not compare.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from backends import samples, seeds
from backends.counting import told
from backends.data import Dataset, Source, permutation
from backends.evaluation import validate
from backends.feature_spaces import Space, space_of
from backends.metrics.frechet import frechet
from backends.metrics.kernel import kernel_distance
from backends.metrics.manifold import manifold
from backends.metrics.memorisation import copied
from backends.model import Model, Samples
from backends.precision import Numerics
from backends.records import SampleRequest, Score, scalar

MOST_REAL = 10_000
"""Held-out items that are looked at; of larger sets the first ones."""
USUAL_COUNT = 1_000
LEAST_COUNT = 16
"""Fewer samples have no neighbours to speak of."""
CHUNK = 64
"""Samples that are drawn at once."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What to score, and how.

    Attributes:
        step: of the checkpoint that ``model`` was read from.
        count: samples to draw; 0 is as many as are held out, at most USUAL_COUNT.
        folder: where a feature space is kept for the next time.
        phase: takes the name of what is being done now.
    """

    model: Model
    dataset: Dataset
    numerics: Numerics
    step: int
    batch_size: int
    count: int = 0
    seed: int = 0
    folder: Path
    phase: Callable[[str], None] = lambda _: None


def scores(exam: Exam) -> Iterator[Score]:
    """All scores that this kind of model and data has."""
    exam.phase("validating")
    yield from _own(exam)
    if exam.model.modality == "image" and len(exam.dataset.validation) >= LEAST_COUNT:
        yield from _pictures(exam)


def count_of(exam: Exam) -> int:
    """How many samples are drawn."""
    usual = min(USUAL_COUNT, len(exam.dataset.validation), MOST_REAL)
    return max(LEAST_COUNT, exam.count or usual)


# --------------------------------------------------------------------------- the model's own


def _own(exam: Exam) -> Iterator[Score]:
    """What the curves ``validation/...`` say, of all held-out items instead of a few batches."""
    begin = time.perf_counter()
    held = exam.dataset.validation
    real = min(len(held), MOST_REAL)
    terms = validate(
        exam.model,
        held.to(exam.model.device),
        exam.numerics,
        batch_size=exam.batch_size,
        batches=math.ceil(real / exam.batch_size),
        seed=exam.seed,
        progress=1.0,
    )
    for name, value in terms.items():
        yield Score(
            step=exam.step,
            t=time.time(),
            metric=name,
            value=scalar(value),
            real=real,
            seed=exam.seed,
            seconds=time.perf_counter() - begin,
        )


# --------------------------------------------------------------------------- pictures beside real


def _pictures(exam: Exam) -> Iterator[Score]:
    begin = time.perf_counter()
    held = exam.dataset.validation
    real, labels = _fetched(held, torch.arange(min(len(held), MOST_REAL)))
    exam.phase("learning features")
    space = space_of(exam.dataset, exam.folder)
    exam.phase("scoring")
    labels = labels if exam.dataset.shape.num_classes else None  # else they are captions
    found = _drawn(exam, space, labels, real.shape[1:])
    if found is None:
        return
    train, against = space.features(_some(exam.dataset.train)), space.features(real)
    ours, theirs = compared(found, against), compared(train[: len(found)], against)
    ours["copied"], theirs["copied"] = (Measured(copied(x, train)) for x in (found, against))
    for name, measured in ours.items():
        yield Score(
            step=exam.step,
            t=time.time(),
            metric=name,
            value=scalar(measured.value),
            features=space.name,
            spread=None if measured.spread is None else scalar(measured.spread),
            reference=scalar(theirs[name].value),
            better="lower" if name in _LOWER else "higher",
            count=len(found),
            real=len(real),
            seed=exam.seed,
            seconds=time.perf_counter() - begin,
        )


_LOWER = frozenset({"fd", "kid", "copied"})


@dataclass(frozen=True, slots=True)
class Measured:
    """A score, and its standard deviation where it is measured several times."""

    value: float
    spread: float | None = None


def compared(found: Tensor, real: Tensor) -> dict[str, Measured]:
    """Scores of features [N, D] beside real ones [M, D]; N and M of LEAST_COUNT or more."""
    n = min(len(found), len(real))
    kernel, shape = kernel_distance(found, real, size=n // 2), manifold(real[:n], found[:n])
    return {
        "fd": Measured(frechet(found, real)),
        "kid": Measured(kernel.mean, kernel.sd),
        "precision": Measured(shape.precision),
        "recall": Measured(shape.recall),
        "density": Measured(shape.density),
        "coverage": Measured(shape.coverage),
    }


def _drawn(exam: Exam, space: Space, labels: Tensor | None, size: torch.Size) -> Tensor | None:
    """Features [N, D] of samples; None where the model draws something else than its data is.

    They are of the classes of the held-out items, where the model can be asked for classes.
    """
    parts: list[Tensor] = []
    done, of = 0, count_of(exam)
    while done < of:
        chunk = min(CHUNK, of - done)
        request = SampleRequest(
            count=chunk,
            seed=seeds.seed_of(exam.seed, done, "score") % 2**32,
            labels=_labels(exam.model, labels, done, chunk),
        )
        images = _images(samples.draw(exam.model, request, exam.numerics), size)
        if images is None:
            return None
        parts.append(space.features(images))
        done += chunk
        told(done, of)
    return torch.cat(parts)


def _images(drawn: Samples, size: torch.Size) -> Tensor | None:
    """The pictures as they would be written: clipped, in 256 steps."""
    if drawn.images is None or drawn.images.shape[1:] != size:
        return None
    pixels = torch.from_numpy(samples.to_uint8(drawn.images)).permute(0, 3, 1, 2)
    return pixels.float().div(127.5).sub(1)


def _labels(model: Model, labels: Tensor | None, begin: int, count: int) -> list[int] | None:
    if labels is None or "labels" not in model.asks:
        return None
    places = torch.arange(begin, begin + count) % len(labels)
    return labels[places].tolist()


def _some(source: Source) -> Tensor:
    """Items to compare with, always the same ones."""
    chosen = permutation(len(source), seeds.seed_of(0, 0, "score"))[:MOST_REAL]
    return _fetched(source, chosen)[0]


def _fetched(source: Source, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
    """Items on the CPU, without augmentation."""
    parts = [source.fetch(part, torch.zeros_like(part), 0) for part in chosen.split(256)]
    labels = [y for _, y in parts if y is not None]
    return torch.cat([x.cpu() for x, _ in parts]), torch.cat(labels).cpu() if labels else None
