"""What is wrong with a run: the evidence, the likely cause, one thing to do."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from genai_tui import amounts
from genai_tui.alerts.alert import Alert
from genai_tui.visible import visible
from genai_tui.widgets.field import Part, content

LEVELS = {"critical": ("✗", "text-error"), "warning": ("!", "text-warning"), "info": ("·", "text")}


class AlertsScreen(ModalScreen[None]):
    """Lists alerts, the worst first; how long ago that was is seen from ``now``."""

    CSS_PATH = "alerts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,A,enter", "dismiss", "close", tooltip="Close the list", id="alerts.q"),
    ]

    def __init__(self, run: str, alerts: Sequence[Alert], now: float) -> None:
        super().__init__()
        self._now = now
        self._run = run
        self._alerts = alerts

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="list") as panel:
            panel.border_title = Content(visible(f"alerts of {self._run}"))
            panel.border_subtitle = "esc closes"
            yield Static(content(*self._parts()), markup=False)

    def _parts(self) -> list[Part]:
        if not self._alerts:
            return ["Nothing is wrong as far as the curves and the machine tell."]
        parts = [part for alert in self._alerts for part in _told(alert, self._now)]
        return parts[:-1]


def _told(alert: Alert, now: float) -> list[Part]:
    glyph, colour = LEVELS[alert.level]
    when = f"step {alert.step:,}"
    if alert.t:
        when += f" · {amounts.age(max(0.0, now - alert.t))}"
    parts: list[Part] = [
        (f"{glyph} {alert.title}", f"bold ${colour}"),
        (f"  {when}\n", "$text-muted"),
        f"  {alert.evidence}.\n",
    ]
    if alert.cause:
        parts += [("  likely  ", "$text-muted"), f"{alert.cause}\n"]
    return [*parts, ("  do      ", "$text-muted"), f"{alert.action}\n", "\n"]
