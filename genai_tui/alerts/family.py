"""The health of a family of models: its own scalars, against thresholds from the literature."""

import math
from collections.abc import Iterator

import numpy as np

from genai_tui import amounts
from genai_tui.alerts.alert import Alert, Level, Situation
from genai_tui.history import Floats

BALANCE_POINTS = 20
"""Single batches are noisy: a balance is the mean of so many logged points."""
DIVERSITY = {"critical": 0.3, "warning": 0.6}
ACTIVE_UNITS = {"critical": 0.05, "warning": 0.2}
CODES = {"critical": 0.1, "warning": 0.3}
EARLY = 0.2
"""Share of the run in which untrained networks may still look ill."""


def mode_collapse(s: Situation) -> Iterator[Alert]:
    """Generated pictures nearer to one another than real ones, twice in a row."""
    values = _values(s, "validation/diversity")
    if len(values) < 2 or _done(s) < EARLY:
        return
    level = _level(max(values[-2:]), DIVERSITY)
    if level is None or values[-1] > values[-2] + 0.02:
        return
    yield _alert(
        s,
        "mode-collapse",
        level,
        f"generated pictures are {values[-1]:.2f} times as far apart as real ones (below "
        f"{DIVERSITY['warning']} is ill)",
        "G has found a few pictures that D takes for real",
        "raise gamma (R1 and R2) or set loss=relativistic; look at the samples (v)",
        "validation/diversity",
    )


def posterior_collapse(s: Situation) -> Iterator[Alert]:
    """A VAE most of whose latent dimensions say nothing, or whose KL is below a nat."""
    kl, units = _values(s, "kl"), _values(s, "active_units")
    if not len(kl) or not len(units) or _done(s) < max(EARLY, _share(s, "warmup")):
        return
    latent = s.spec.model_config.get("latent")
    used = float(np.mean(units[-10:]))
    level = _level(used / latent, ACTIVE_UNITS) if isinstance(latent, int) and latent else None
    nats = float(np.mean(kl[-10:]))
    if nats < 1:
        level = "critical"
    if level is None:
        return
    of = f" of {latent}" if isinstance(latent, int) else ""
    yield _alert(
        s,
        "posterior-collapse",
        level,
        f"{used:.0f}{of} latent units are active, KL is {amounts.value(nats)} nats",
        "the decoder does without the latent, or beta weighs the KL too much",
        "halve beta, or set free_bits=0.1, or a longer warmup, in a new run",
        "active_units",
    )


def codebook(s: Situation) -> Iterator[Alert]:
    """A VQ model that uses few of its codes."""
    used, size = _values(s, "perplexity"), _codes(s)
    if not len(used) or not size or _done(s) < EARLY:
        return
    mean = float(np.mean(used[-10:]))
    level = _level(mean / size, CODES)
    if level is None:
        return
    yield _alert(
        s,
        "codebook",
        level,
        f"{mean:.0f} of {size} codes are in use (perplexity {mean / size:.0%})",
        "codes that begin far from the data are never chosen and never move",
        "fewer codes, or quantizer=fsq, in a new run",
        "perplexity",
    )


def _codes(s: Situation) -> int:
    """How many codes there are: those of the codebook, or the cells of the grid "8-6-5"."""
    config = s.spec.model_config
    if config.get("quantizer") == "fsq":
        sides = str(config.get("levels")).split("-")
        return math.prod(int(side) for side in sides) if all(map(str.isdecimal, sides)) else 0
    codes = config.get("codes")
    return codes if isinstance(codes, int) else 0


def discriminator(s: Situation) -> Iterator[Alert]:
    """D that is right about everything, or about nothing (Karras 2020: r_t is to be near 0.6)."""
    sign, loss = _values(s, "D/sign"), _values(s, "D/loss")
    if len(sign) < BALANCE_POINTS or "D/wasserstein" in s.history.values or _done(s) < EARLY / 2:
        return
    r, d = float(np.mean(sign[-BALANCE_POINTS:])), float(np.mean(loss[-BALANCE_POINTS:]))
    if r >= 0.97:
        yield _alert(
            s,
            "discriminator",
            "critical" if d < 0.05 else "warning",
            f"r_t = {r:.2f} over {BALANCE_POINTS} logged points (0.6 is sound), D/loss = "
            f"{amounts.value(d)}",
            "D learns its pictures by heart, so that G hears nothing of use",
            "set augment=ada, or raise gamma, in a fork; or give it more pictures",
            "D overpowers G",
        )
    elif abs(r) < 0.05 and _near_chance(d):
        yield _alert(
            s,
            "discriminator",
            "warning",
            f"r_t = {r:.2f} over {BALANCE_POINTS} logged points, D/loss = {amounts.value(d)}: D "
            "guesses",
            "the gradient penalty holds D down",
            "lower gamma to a tenth in a fork",
            "D has given up",
        )


def _near_chance(loss: float) -> bool:
    """Whether D's loss is that of a guess: ln 2 of pairs, 2 ln 2 of two separate questions."""
    return min(abs(loss - np.log(2)), abs(loss - 2 * np.log(2))) < 0.01


def _alert(
    s: Situation, kind: str, level: Level, evidence: str, cause: str, action: str, about: str
) -> Alert:
    t = float(s.history.times.values[-1]) if len(s.history.times) else 0.0
    return Alert(kind, level, s.history.step, t, evidence, cause, action, about, s.attempt)  # pyright: ignore[reportArgumentType]


def _values(s: Situation, key: str) -> Floats:
    """The finite values of a scalar; none if it was never logged."""
    track = s.history.values.get(key)
    if not track:
        return np.empty(0)
    values = track.values[-1000:]
    return values[np.isfinite(values)]


def _level(value: float, limits: dict[str, float]) -> Level | None:
    if value < limits["critical"]:
        return "critical"
    return "warning" if value < limits["warning"] else None


def _done(s: Situation) -> float:
    """Share of the run that is behind."""
    return s.history.step / s.of if s.of else 1.0


def _share(s: Situation, knob: str) -> float:
    value = s.spec.model_config.get(knob)
    return float(value) if isinstance(value, int | float) else 0.0
