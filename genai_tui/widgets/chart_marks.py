"""What is marked on the x axes of a run's charts."""

from collections.abc import Iterable

from genai_tui.alerts.alert import ENDS, Alert
from genai_tui.charts.line import Mark
from genai_tui.history import History

SHOWN_CHECKPOINTS = 3
"""As many as a run keeps; marks of older ones would only crowd the axis."""


def marks_of(history: History) -> list[Mark]:
    """Restarts, commands, checkpoints that are kept, a failure; `x` is the step, sorted."""
    crashes = history.crashes
    found = [
        Mark(float(start.step), f"start {start.attempt}", "crash" if start in crashes else "resume")
        for start in history.starts
        if start.attempt > 1
    ]
    found += [
        Mark(float(mark.step), mark.verb, "command")
        for mark in history.marks
        if mark.answer == "accepted"
    ]
    kept = history.checkpoints[-SHOWN_CHECKPOINTS:]
    found += [Mark(float(each.step), "checkpoint", "checkpoint") for each in kept]
    if history.end is not None and history.end.state == "failed":
        found.append(Mark(float(history.end.step), history.end.reason or "failed", "failed"))
    return sorted(found, key=lambda mark: mark.x)


def alert_marks(alerts: Iterable[Alert]) -> list[Mark]:
    """Where curves went wrong; how a run ended is marked already."""
    found = [Mark(float(one.step), one.title, "alert") for one in alerts if one.kind not in ENDS]
    return sorted(found, key=lambda mark: mark.x)
