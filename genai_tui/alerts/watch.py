"""Alerts of one run as it goes on: remembers its telemetry, and when what lasts was first seen."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from backends.records import RunSpec
from genai_tui.alerts.alert import Alert, Situation
from genai_tui.alerts.found import alerts
from genai_tui.history import History
from genai_tui.store import Summary
from genai_tui.telemetry.record import Telemetry

TELEMETRY_SAMPLES = 600
"""At about one a second: the disk's rate is measured over the last ten minutes."""


class AlertWatch:
    """Looks at a history with the machine's telemetry beside it."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._telemetry: deque[Telemetry] = deque(maxlen=TELEMETRY_SAMPLES)
        self.found: list[Alert] = []

    def see(self, samples: Iterable[Telemetry]) -> None:
        """Takes in newer telemetry."""
        self._telemetry.extend(samples)

    def look(self, history: History, summary: Summary, now: float) -> list[Alert]:
        """What is wrong at ``now``, in seconds since the epoch."""
        known = {alert.id: alert for alert in self.found}
        seen = alerts(Situation(history, summary, now, tuple(self._telemetry), self._spec))
        self.found = [_since(alert, known.get(alert.id)) for alert in seen]
        return self.found


def _since(alert: Alert, before: Alert | None) -> Alert:
    """What lasts keeps the time at which it was first seen."""
    return alert if before is None else replace(alert, t=min(alert.t, before.t), step=before.step)
