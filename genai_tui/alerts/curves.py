"""What curves alone tell: numbers that are none, jumps, losses that rise or no longer fall.

Thresholds: a jump is more than six deviations (ZClip, arXiv 2504.02507, takes 2.5 to warn; logged
points are too many for that), gradients explode at a hundred times their median.
"""

import math
from collections.abc import Iterator

import numpy as np

from genai_tui import amounts
from genai_tui.alerts.alert import Alert, Situation
from genai_tui.charts.smoothing import smooth
from genai_tui.column import Floats
from genai_tui.comparison import direction
from genai_tui.groups import group_of
from genai_tui.track import Track

LOOK_BACK = 10_000
"""Logged points that are looked at: an alert about what was long ago would come too late."""
WEIGHT = 0.97
FEWEST = 50
SPIKE_DEVIATIONS, SPIKE_SHARE = 6.0, 0.1
MOST_SPIKES = 5
APART = 100
"""Points between two jumps that are two and not one."""
MOST_TIMES = 1000
EXPLODES, VANISHES = 100.0, 1e-7


def nan(s: Situation) -> Iterator[Alert]:
    """A scalar that was NaN or infinite, where it began."""
    for key, wild in s.history.wild.items():
        values, first = s.history.values[key].values[-LOOK_BACK:], int(wild.at.step)
        bad = int(np.count_nonzero(~np.isfinite(values)))
        saved = max((c.step for c in s.history.checkpoints if c.step < first), default=None)
        back = f"r resumes from step {saved:,}" if saved is not None else "start again"
        yield Alert(
            "nan",
            "critical",
            first,
            wild.at.t or 0.0,
            f"{key} was {amounts.value(wild.value)} at step {first:,} ({bad:,} of the last "
            f"{len(values):,} logged points are not finite)",
            "the rate is too high, or a logarithm or a division met a zero",
            f"stop it (x), halve lr, then {back}",
            key,
            str(first),
        )


def spike(s: Situation) -> Iterator[Alert]:
    """A loss far above its running mean, in units of how it strays from it."""
    for key, track in _losses(s):
        steps, values = _finite(*_recent(track))
        if len(values) <= FEWEST:
            continue
        mean, deviation = _expected(values)
        jump = values[1:] - mean
        worth = np.maximum(SPIKE_DEVIATIONS * deviation, SPIKE_SHARE * np.abs(mean))
        found = np.flatnonzero((jump > worth) & (jump > 0))
        for first in _first_of_each(found[found >= FEWEST])[-MOST_SPIKES:]:
            step, value = int(steps[first + 1]), float(values[first + 1])
            usual = float(mean[first])
            yield Alert(
                "spike",
                "warning",
                step,
                _time(s, step),
                f"{key} jumped from {amounts.value(usual)} to {amounts.value(value)} at step "
                f"{step:,}, {_times(float(jump[first]), float(deviation[first]))} its usual noise",
                "a bad batch, or steps that are too long for where the weights are",
                "if it does not come back by itself: set clip_grad=1, or halve lr",
                key,
                str(step),
            )


def gradients(s: Situation) -> Iterator[Alert]:
    """Gradients a hundred times their median, or none at all."""
    for key, track in s.history.values.items():
        if group_of(key) != "grad_norm":
            continue
        steps, values = _finite(*_recent(track))
        if len(values) <= FEWEST:
            continue
        usual, last = float(np.median(values)), values[-FEWEST:]
        if np.all(last < VANISHES):
            yield _gradients(
                s,
                key,
                int(steps[-FEWEST]),
                f"{key} has been below {VANISHES:g} for {FEWEST} logged points",
                "no signal gets through: dead units, or a loss that is saturated",
                "raise lr, or look at the weights' initial scale and the activations",
            )
        elif usual > 0 and (found := _first_of_each(np.flatnonzero(values > EXPLODES * usual))):
            step, value = int(steps[found[-1]]), float(values[found[-1]])
            usual = float(np.median(values[: found[0]])) if found[0] else usual
            yield _gradients(
                s,
                key,
                step,
                f"{key} was {amounts.value(value)} at step {step:,}; its median is "
                f"{amounts.value(usual)}",
                "one batch or one layer pulls all weights",
                f"set clip_grad={float(f'{3 * usual:.1g}'):g}, or halve lr",
            )


def divergence(s: Situation) -> Iterator[Alert]:
    """A loss that has lost half of what it had gained, and stays there."""
    for key, track in _losses(s):
        steps, values = _counted(s, track)
        faded_in = len(values) > 2 * FEWEST
        if not faded_in:
            steps, values = _finite(*_recent(track))
        if len(values) <= 2 * FEWEST:
            continue
        smoothed = smooth(values, 0.9)
        lowest = int(np.argmin(smoothed[FEWEST:])) + FEWEST
        noise = _noise(values[: lowest + 1])
        low, begin = float(smoothed[lowest]), float(np.max(smoothed[10:FEWEST]))
        limit = low + max(3 * noise, (begin - low) / 2, SPIKE_SHARE * abs(low))
        if not faded_in:  # a term that is being faded in makes it rise, but not beyond all bounds
            limit = begin + abs(begin) / 2 + 3 * noise
        last = smoothed[-max(10, len(smoothed) // 50) :]
        if not np.all(last > limit):
            continue
        step = int(steps[lowest])
        yield Alert(
            "divergence",
            "critical",
            step,
            _time(s, step),
            f"{key} is {amounts.value(float(last[-1]))}; it was {amounts.value(low)} at step "
            f"{step:,}",
            "the rate is too high for this stage, or the model fights itself",
            f"stop it (x), halve lr and begin again from a checkpoint before step {step:,}",
            key,
            s.attempt,
        )


def plateau(s: Situation) -> Iterator[Alert]:
    """A loss that fell, and in the last third of the steps has not, with much of the run ahead."""
    left = 1 - s.history.step / s.of if s.of else 0.0
    if not s.live or left < 0.2 or not _rate_is_high(s):
        return
    for key, track in _losses(s):
        steps, values = _counted(s, track)
        third = len(values) // 3
        if third < FEWEST:
            continue
        before, last = values[-2 * third : -third], values[-third:]
        begin, noise = float(np.mean(values[:10])), _noise(values)
        earlier, now = float(np.median(before)), float(np.median(last))
        error = 2.5 * noise * np.sqrt(2 / third)
        fell = begin - earlier > max(10 * noise, 0.01 * abs(begin))
        if not fell or abs(earlier - now) > max(error, 1e-3 * abs(earlier)):
            continue
        span = int(steps[-1] - steps[-third])
        yield Alert(
            "plateau",
            "info",
            int(steps[-third]),
            _time(s, int(steps[-third])),
            f"{key} is about {amounts.value(now)} over the last {span:,} steps, and was about "
            f"{amounts.value(earlier)} over as many before",
            "it has learned what it can at this rate",
            f"set lr to a third (genai-tui set RUN lr=...), or stop it (x): {left:.0%} are left",
            key,
            s.attempt,
        )


def overfitting(s: Situation) -> Iterator[Alert]:
    """A loss on held-out data that rose three times in a row and is well above its best."""
    for key, track in s.history.values.items():
        if not key.startswith("validation/") or direction(key) != "down" or "loss" not in key:
            continue
        steps, values = track.steps, track.values
        if len(values) < 5 or not np.isfinite(values).all() or not np.all(np.diff(values[-4:]) > 0):
            continue
        best = int(np.argmin(values))
        low, last, step = float(values[best]), float(values[-1]), int(steps[best])
        noise = float(np.median(np.abs(np.diff(values, 2)))) * 1.48 / np.sqrt(6)
        around = float(np.mean(values[max(0, best - 1) : best + 2]))
        grown = float(np.mean(values[-3:])) - around
        if grown <= max(0.02 * abs(low), 4 * noise) or _rose(
            s, key.removeprefix("validation/"), step
        ):
            continue
        yield Alert(
            "overfitting",
            "warning",
            step,
            _time(s, step),
            f"{key} is {amounts.value(last)} after three rises; its best was {amounts.value(low)} "
            f"at step {step:,}",
            "the model learns its data by heart",
            f"stop it (x) and use the checkpoint nearest to step {step:,}, or add data or dropout",
            key,
            str(step),
        )


def _rose(s: Situation, key: str, step: int) -> bool:
    """Whether the training's own loss rises, too: then it is the task that became harder."""
    track = s.history.values.get(key)
    if not track or not np.any(after := track.steps > step):
        return False
    values = track.values[after]
    tenth = max(1, len(values) // 10)
    return float(np.mean(values[-tenth:])) > float(np.mean(values[:tenth]))


def _gradients(s: Situation, key: str, step: int, evidence: str, cause: str, action: str) -> Alert:
    t = _time(s, step)
    return Alert("gradients", "warning", step, t, evidence, cause, action, key, str(step))


def _losses(s: Situation) -> Iterator[tuple[str, Track]]:
    """The losses of which it is known that lower is better: not those of two networks at war."""
    for key, track in s.history.values.items():
        trained = not key.startswith("validation/") and not key[:1].isdecimal()
        if trained and group_of(key) == "loss" and direction(key) == "down":
            yield key, track


def _recent(track: Track) -> tuple[Floats, Floats]:
    return track.steps[-LOOK_BACK:], track.values[-LOOK_BACK:]


def _counted(s: Situation, track: Track) -> tuple[Floats, Floats]:
    """Recent finite points from where the loss means the same: a VAE's KL term is faded in."""
    steps, values = _recent(track)
    warmup = s.spec.model_config.get("warmup")
    share = float(warmup) if isinstance(warmup, int | float) else 0.0
    late = steps >= share * s.of
    return _finite(steps[late], values[late])


def _finite(steps: Floats, values: Floats) -> tuple[Floats, Floats]:
    kept = np.isfinite(values)
    return steps[kept], values[kept]


def _expected(values: Floats) -> tuple[Floats, Floats]:
    """What each point but the first was to be, from those before it: running mean, deviation."""
    mean = smooth(values, WEIGHT)[:-1]
    variance = smooth(np.square(values[1:] - mean), WEIGHT)
    return mean, np.sqrt(np.concatenate([[np.inf], variance[:-1]]))


def _noise(values: Floats) -> float:
    """The deviation from a smooth course; one wild jump does not make all of it wild."""
    return float(np.median(np.abs(np.diff(values)))) * 1.48 / math.sqrt(2)


def _first_of_each(found: np.ndarray) -> list[int]:
    """The first of each group of points that are near one another."""
    if not len(found):
        return []
    starts = np.concatenate([[True], np.diff(found) > APART])
    return [int(index) for index in found[starts]]


def _rate_is_high(s: Situation) -> bool:
    """Whether the learning rate is still more than a tenth of its highest."""
    lr, asked = s.history.values.get("lr"), s.spec.train_config.get("lr")
    highest = float(asked) if isinstance(asked, int | float) else 0.0
    return not lr or float(lr.values[-1]) > 0.1 * max(highest, float(np.nanmax(lr.values)))


def _times(jump: float, deviation: float) -> str:
    times = jump / deviation if deviation > 0 else math.inf
    return f"{times:.0f} times" if times < MOST_TIMES else f"more than {MOST_TIMES:,} times"


def _time(s: Situation, step: int) -> float:
    """When a step was logged."""
    times = s.history.times
    index = int(np.searchsorted(times.steps, step))
    return float(times.values[min(index, len(times) - 1)]) if len(times) else 0.0
