"""All alerts of a run at one moment. Pure: no clock, no file, no screen."""

from collections.abc import Callable, Iterator

from genai_tui.alerts import curves, family, machine
from genai_tui.alerts.alert import Alert, Situation

Detector = Callable[[Situation], Iterator[Alert]]

DETECTORS: tuple[Detector, ...] = (
    machine.ended,
    curves.nan,
    curves.divergence,
    machine.stall,
    machine.disk,
    machine.memory,
    machine.gpu_idle,
    machine.data_bound,
    family.mode_collapse,
    family.posterior_collapse,
    family.codebook,
    family.discriminator,
    curves.spike,
    curves.gradients,
    curves.overfitting,
    curves.plateau,
)
_ORDER = {"critical": 0, "warning": 1, "info": 2}


def alerts(situation: Situation) -> list[Alert]:
    """What is wrong, the worst first, the newest first among equals."""
    found = [alert for detect in DETECTORS for alert in detect(situation)]
    return sorted(found, key=lambda alert: (_ORDER[alert.level], -alert.t))
