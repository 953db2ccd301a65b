"""An App that looks after all runs and tells what is wrong, once, in the ways its user wants."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from textual import work

from genai_tui.images.detect import Graphics
from genai_tui.preferring import PreferringApp
from genai_tui.settings import Settings
from genai_tui.store import Run, RunError, Store, Summary
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.alerts.alert import Alert
    from genai_tui.sentry import Sentry
    from genai_tui.telling import CommandHook

T = TypeVar("T")
MOST_TOLD = 3
"""Of more than so many at once only the number is told."""
SEVERITIES = {"critical": "error", "warning": "warning", "info": "information"}


class AlarmHost(PreferringApp[T]):
    """Begins to watch when asked to; `alerts` is what is wrong with each run now."""

    store: Store

    def __init__(self, settings: Settings | None, graphics: Graphics | None) -> None:
        super().__init__(settings, graphics)
        self.alerts: dict[str, list[Alert]] = {}
        self._sentry: Sentry | None = None
        self._hook: CommandHook | None = None

    def watch_runs(self) -> None:
        """From now on every run that trains is looked after."""
        from genai_tui.sentry import Sentry  # which the first paint can do without

        self._sentry = Sentry(self.store, self)
        self._sentry.start()

    def unwatch_runs(self) -> None:
        if self._sentry is not None:
            self._sentry.stop()

    def on_sentry_found(self, event: "Sentry.Found") -> None:
        self.alerts[event.run.id] = event.alerts
        self.alerts_changed()
        muted = self.settings.mute.replace(",", " ").split()
        news = [alert for alert in event.news if alert.kind not in muted]
        if news and self.settings.notify != "off":
            self._ring(event.run, news)
        for alert in news:
            self._command(
                {"run": event.run.id, "name": event.run.name, **msgspec.to_builtins(alert)}
            )

    def alerts_changed(self) -> None:
        """What is wrong with some run has changed."""

    def show_alerts(self, run: Summary, found: "Sequence[Alert]") -> None:
        """Shows what is wrong with a run."""

    @work(thread=True, exclusive=True, group="alerts")
    def look_over(self, run: Summary) -> None:
        """Looks at a run now, and shows what is wrong with it."""
        from genai_tui.sentry import look_once

        try:
            found = look_once(Run(self.store.root / run.id), run, time.time())
        except (OSError, RunError) as error:
            said = visible(f"{run.id} cannot be looked at: {error}")
            self.call_from_thread(self.notify, said, severity="error", markup=False)
        else:
            self.call_from_thread(self.show_alerts, run, found)

    def _ring(self, run: Summary, news: "list[Alert]") -> None:
        from genai_tui.telling import notification, way_of

        worst = news[0]
        text = f"{worst.title}: {worst.evidence}"
        if len(news) > MOST_TOLD:
            text = f"{len(news)} alerts; the first is {text}"
        self.notify(
            visible(text),
            title=visible(run.name),
            severity=SEVERITIES[worst.level],  # pyright: ignore[reportArgumentType]
            markup=False,
        )
        self.bell()
        way = way_of(self.settings.notify, os.environ)
        command = notification(way, run.name, text, in_tmux=self.graphics.in_tmux)
        if command and self._driver is not None:
            self._driver.write(command)

    def _command(self, document: Mapping[str, object]) -> None:
        from genai_tui.telling import CommandHook

        command = self.settings.alert_command
        if self._hook is None or self._hook.command != command:
            self._hook = CommandHook(command, self._complain)
        self._hook.tell(document)

    def _complain(self, problem: str) -> None:
        """Called by the hook, in a thread of its own or not."""
        self.call_later(self.notify, visible(problem), severity="warning", markup=False)
