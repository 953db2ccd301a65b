"""What sets runs apart: their knobs, how good their scalars became, what they drew. Pure."""

import math
import string
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backends.records import RunSpec, Sample
from genai_tui.groups import grouped
from genai_tui.history import History
from genai_tui.track import Track

FEWEST, MOST = 2, 8
"""How many runs can be compared: there are as many colours that anyone can tell apart."""
LETTERS = string.ascii_uppercase

Value = int | float | bool | str | None
Direction = Literal["down", "up"]


# --------------------------------------------------------------------------- colours


def colours(ids: Sequence[str], count: int = MOST) -> list[int]:
    """A place in a palette of ``count`` for each run, none of them twice.

    It follows from the id alone, unless an earlier run has taken it.
    """
    taken: dict[str, int] = {}
    for run in ids:
        wanted = zlib.crc32(run.encode()) % count
        free = ((wanted + k) % count for k in range(count))
        taken[run] = next((place for place in free if place not in taken.values()), wanted)
    return [taken[run] for run in ids]


# --------------------------------------------------------------------------- knobs


@dataclass(frozen=True, slots=True)
class Knobs:
    """One setting in all runs; a run whose place in ``values`` is missing has no such setting."""

    section: str
    name: str
    values: Mapping[int, Value]
    runs: int

    @property
    def differs(self) -> bool:
        """Whether two runs have different values, or one has none."""
        kinds = {(type(value), value) for value in self.values.values()}
        return len(kinds) > 1 or len(self.values) < self.runs

    def texts(self) -> list[str]:
        """The value in each run as people write it; "–" where there is none."""
        return [word(self.values[i]) if i in self.values else "–" for i in range(self.runs)]


def word(value: Value) -> str:
    """A knob's value: "yes", "none", "0.001"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def knobs(specs: Sequence[RunSpec]) -> list[Knobs]:
    """Every setting of every run: what was trained on what, then knobs, then versions."""
    sections = [_sections(spec) for spec in specs]
    names = {(section, name): None for found in sections for section, name in found}
    order = {section: place for place, section in enumerate(_ORDER)}
    ordered = sorted(names, key=lambda name: order[name[0]])
    return [
        Knobs(section, name, _present(sections, (section, name)), len(specs))
        for section, name in ordered
    ]


_ORDER = ("run", "model", "data", "train", "versions")


def _sections(spec: RunSpec) -> dict[tuple[str, str], Value]:
    """The settings of one run by section and name."""
    run: dict[str, Value] = {
        "model": spec.model,
        "data": spec.dataset,
        "seed": spec.seed,
        "device": spec.device,
    }
    if spec.parent:
        run |= {"parent": spec.parent, "parent step": spec.parent_step}
    if spec.weights:
        run["weights"] = spec.weights
    parts: dict[str, Mapping[str, Value]] = {
        "run": run,
        "model": spec.model_config,
        "data": spec.data_config,
        "train": spec.train_config,
        "versions": spec.versions,
    }
    return {
        (section, name): value for section, part in parts.items() for name, value in part.items()
    }


def _present(
    sections: Sequence[Mapping[tuple[str, str], Value]], key: tuple[str, str]
) -> dict[int, Value]:
    return {i: section[key] for i, section in enumerate(sections) if key in section}


# --------------------------------------------------------------------------- scalars


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of a scalar and the step that it was logged at."""

    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Scalars:
    """One scalar in all runs: its last value, and its best where it is known what is better."""

    key: str
    direction: Direction | None
    last: tuple[Reading | None, ...]
    best: tuple[Reading | None, ...]
    comparable: bool = True
    """Whether the runs that logged it learned the same data, with the same model where it counts"""

    @property
    def leaders(self) -> frozenset[int]:
        """The runs whose best is the best of all; none where that says nothing."""
        return self._leaders(self.best)

    @property
    def last_leaders(self) -> frozenset[int]:
        """The runs whose last value is the best of all; none where that says nothing."""
        return self._leaders(self.last)

    def _leaders(self, readings: Sequence[Reading | None]) -> frozenset[int]:
        found = {i: r.value for i, r in enumerate(readings) if r and math.isfinite(r.value)}
        if self.direction is None or not self.comparable or len(found) < 2:
            return frozenset()
        choose: Callable[[Collection[float]], float] = min if self.direction == "down" else max
        best = choose(found.values())
        return frozenset(i for i, value in found.items() if value == best)


_OWN = frozenset({"loss", "prior/loss", "reconstruction", "content"})
"""What every model counts in its own way: lower is better, beside runs of the same model only."""
_LOWER = frozenset({"bits_per_dim", "bits_per_sample", "crps", "horizon_nll"})
_HIGHER = frozenset(
    {"bleu", "chrf", "psnr", "ssim", "token_accuracy", "precision", "recall", "coverage", "density"}
)
_SPLITS = ("validation/", "test/", "ema/")
_DISTANCES = ("fid-", "fd-", "kid-", "fad-")


def direction(key: str) -> Direction | None:
    """Whether a scalar is better when it is lower or higher; None if nobody can say.

    The losses of two networks that play against each other say nothing of their pictures.
    """
    bare = _bare(key)
    if bare in _OWN or bare in _LOWER or bare.startswith(_DISTANCES):
        return "down"
    name = bare.partition("-")[0]  # a score names the features that it was taken in
    return "up" if name in _HIGHER else None


def _bare(key: str) -> str:
    """A scalar's name without the split of the data that it was measured on."""
    return next((key.removeprefix(split) for split in _SPLITS if key.startswith(split)), key)


def scalars(
    specs: Sequence[RunSpec],
    histories: Sequence[History],
    steps: Sequence[float] | None = None,
) -> list[Scalars]:
    """Every scalar that a run has logged, in the order of the charts.

    Last values are up to the step of each run that ``steps`` says; None is now.
    """
    values = {key: None for history in histories for key in history.values}
    rates = {key: None for history in histories for key in history.rates}
    keys = [key for group in grouped(values, rates) for key in group.keys]
    return [_scalars(key, specs, histories, steps) for key in keys]


def _scalars(
    key: str,
    specs: Sequence[RunSpec],
    histories: Sequence[History],
    steps: Sequence[float] | None,
) -> Scalars:
    towards = direction(key)
    tracks = [history.values.get(key) or history.rates.get(key) for history in histories]
    own = _bare(key) in _OWN
    learned = {
        (spec.dataset, spec.model if own else "")
        for spec, track in zip(specs, tracks, strict=True)
        if track
    }
    ends = steps or [None] * len(tracks)
    last = tuple(_last(track, end) for track, end in zip(tracks, ends, strict=True))
    best = tuple(_best(track, towards) for track in tracks)
    return Scalars(key, towards, last, best, len(learned) <= 1)


def _last(track: Track | None, step: float | None) -> Reading | None:
    """The newest value up to ``step``."""
    if not track:
        return None
    count = len(track) if step is None else int(np.searchsorted(track.steps, step, side="right"))
    return Reading(int(track.steps[count - 1]), float(track.values[count - 1])) if count else None


def _best(track: Track | None, towards: Direction | None) -> Reading | None:
    """The best value as it was logged; None where there is none or it is not known what is best."""
    if not track or towards is None:
        return None
    finite = np.where(np.isfinite(track.values), track.values, np.nan)
    if np.isnan(finite).all():
        return None
    at = int(np.nanargmin(finite) if towards == "down" else np.nanargmax(finite))
    return Reading(int(track.steps[at]), float(finite[at]))


# --------------------------------------------------------------------------- samples


def sampled_steps(histories: Sequence[History]) -> list[int]:
    """Every step at which a run has drawn samples, in order."""
    return sorted({sample.step for history in histories for sample in history.samples})


def sample_at(history: History, step: float, seed: int | None) -> Sample | None:
    """The newest samples up to ``step`` that were drawn with ``seed``, else with any; None if none.

    Those that the training draws by itself go before those that somebody asked for.
    """
    before = [sample for sample in history.samples if sample.step <= step]
    alike = [sample for sample in before if sample.request.seed == seed] or before
    own = [sample for sample in alike if not sample.command] or alike
    return max(own, key=lambda sample: sample.step) if own else None
