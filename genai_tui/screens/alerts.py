"""What is wrong with a run: the evidence, the likely cause, one thing to do."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
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
            if not self._alerts:
                yield _text("Nothing is wrong as far as the curves and the machine tell.")
            for alert in self._alerts:
                yield from _told(alert, self._now)


def _told(alert: Alert, now: float) -> ComposeResult:
    """What is wrong in a line, and below it the evidence, the cause and the remedy."""
    glyph, colour = LEVELS[alert.level]
    when = f"step {alert.step:,}"
    if alert.t:
        when += f" · {amounts.age(max(0.0, now - alert.t))}"
    title = _text((f"{glyph} {alert.title}", f"bold ${colour}"), (f"  {when}", "$text-muted"))
    title.add_class("title")
    yield title
    rows = {"seen": alert.evidence, "likely": alert.cause, "do": alert.action}
    for name, text in rows.items():
        if text:
            yield Horizontal(_text((name, "$text-muted")), _text(text), classes="row")


def _text(*parts: Part) -> Static:
    return Static(content(*parts), markup=False)
