"""One run, live: curves, samples, GPUs, console, and every command that it takes."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from backends.records import Command, Notice, Sample, Score
from genai_tui import amounts
from genai_tui.alerts.alert import Alert
from genai_tui.alerts.watch import AlertWatch
from genai_tui.feed import Feed
from genai_tui.history import History, Instant
from genai_tui.sample_files import folder_of
from genai_tui.screens.annotating import Annotating
from genai_tui.screens.commanding import PLAYGROUND
from genai_tui.settings import Settings
from genai_tui.store import LIVE, Run, RunError, Store, Summary
from genai_tui.widgets.activity import Activity
from genai_tui.widgets.chart_marks import alert_marks
from genai_tui.widgets.chart_panel import ChartPanel
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.console import Console
from genai_tui.widgets.field import Field
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.meters import Meters
from genai_tui.widgets.run_header import RunHeader
from genai_tui.widgets.samples import Samples
from genai_tui.widgets.scores import Scores

LOADING_SECONDS = 0.6
"""The same while an old log is read: keys go first."""
ALERT_SECONDS = 1.0
"""What is wrong is looked for at most this often."""
_PANELS = (ChartPanel, Samples, Meters, Console, Activity, Scores)


class RunScreen(Annotating):
    """Holds the run's history; its widgets are told what to draw."""

    class Closed(Message):
        """The user wants to go back."""

    class CheckpointsWanted(Message):
        """The user wants to see what checkpoints there are."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    AUTO_FOCUS = ""
    ESCAPE_TO_MINIMIZE = False  # it has a step to take back before that
    ALLOW_IN_MAXIMIZED_VIEW = "#top, KeyBar"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sample", "sample", tooltip="Draw samples now", id="run.sample"),
        Binding(
            "c", "checkpoint", "checkpoint", tooltip="Save a checkpoint now", id="run.checkpoint"
        ),
        Binding("v", "samples", "samples", tooltip="All samples of the run", id="run.samples"),
        Binding("p", "playground", "playground", tooltip=PLAYGROUND, id="run.playground"),
        Binding(
            "K",
            "checkpoints",
            "checkpoints",
            show=False,
            tooltip="Checkpoints and their scores; draw, fork, evaluate",
            id="run.checkpoints",
        ),
        Binding("f", "maximise", "maximise", tooltip="The focused panel alone, or all", id="run.f"),
        Binding(
            "left",
            "scrub(-1)",
            "samples before",
            show=False,
            tooltip="Samples before, and all else as it was then",
            id="run.samples_before",
        ),
        Binding(
            "right",
            "scrub(1)",
            "samples after",
            show=False,
            tooltip="Samples after, and all else as it was then",
            id="run.samples_after",
        ),
        Binding(
            "end",
            "newest",
            "newest",
            show=False,
            tooltip="Back to now: the newest of all",
            id="run.newest",
        ),
        Binding("l", "log", "log y", show=False, tooltip="Logarithmic y axis", id="run.log"),
        Binding(
            "plus,equals_sign",
            "smooth(1)",
            "smoother",
            show=False,
            tooltip="Smoother curves",
            id="run.smoother",
        ),
        Binding(
            "minus", "smooth(-1)", "rougher", show=False, tooltip="Rougher curves", id="run.rougher"
        ),
        Binding("q", "close", "back", tooltip="Back to the runs; training goes on", id="run.q"),
        Binding(
            "escape",
            "back",
            "a step back",
            show=False,
            tooltip="Back to now; else to all panels; else to the runs",
            id="run.escape",
        ),
    ]

    def __init__(
        self, store: Store, feed: Feed, run: Run, *, settings: Settings | None = None
    ) -> None:
        super().__init__(store, feed)
        self.run = run
        self._settings = settings or Settings()
        self.history = History()
        self._summary: Summary | None = None
        self._instant: Instant | None = None  # None is now
        self._picked: int | None = None  # the sample, where it was the way to the instant
        self._timer: Timer | None = None
        self._painted = 0.0
        self._watch: AlertWatch | None = None
        self._alarm: Timer | None = None
        self._opened = feed.now()
        self._behind = False  # the log is not read to its end

    @property
    def chosen(self) -> Summary | None:
        return self._summary

    def compose(self) -> ComposeResult:
        with Vertical(id="top"):
            yield RunHeader()
            yield Field(id="why")
        with Horizontal(id="run"):
            with Vertical(id="curves"):
                yield Charts(self._settings.smoothing, id="charts")
                with Horizontal(id="below"):
                    yield Console(id="console")
                    yield Activity(id="activity")
                    yield Scores(id="scores")
            with Vertical(id="beside"):
                yield Samples(id="samples")
                yield Meters(id="meters")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#why").display = False
        self.feed.follow(self.run, self)
        self._begin_watch()
        self.watch(self.app, "settings", self._prefer, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    def _prefer(self, settings: Settings) -> None:
        """The user has changed a setting."""
        if settings.smoothing != self._settings.smoothing:
            self.query_one(Charts).smooth_by(settings.smoothing)
        self._settings = settings

    @work(thread=True)
    def _begin_watch(self) -> None:
        """What is wrong depends on what was asked, which is in a file."""
        with suppress(RunError):
            self._watch = AlertWatch(self.run.spec())

    def on_unmount(self) -> None:
        self.feed.drop(self)

    # ------------------------------------------------------------------ what the feed has read

    def on_feed_records_read(self, event: Feed.RecordsRead) -> None:
        self.history.fold(event.chunk.records, event.chunk.damaged)
        event.taken.set()
        self._behind = event.chunk.more
        self._paint_soon(LOADING_SECONDS if event.chunk.more else 0.0)

    def on_feed_scores_read(self, event: Feed.ScoresRead) -> None:
        self.history.fold(one for one in event.records if isinstance(one, Score))
        panel = self.query_one(Scores)
        panel.follow(self.history.scores)
        panel.hear(event.records, active=event.active)
        for one in event.records:
            if isinstance(one, Notice) and one.t >= self._opened:
                self.say(one.text, severe=True)
        self._show_header()

    def on_feed_status_read(self, event: Feed.StatusRead) -> None:
        known, self._summary = self._summary, event.summary
        if known is None or known.state != event.summary.state:
            self.refresh_bindings()
        self.query_one(Charts).of_run(event.summary.name, event.summary.model)
        self.query_one(Meters).rest(event.summary.state not in LIVE)
        self._show_header()

    def on_feed_telemetry_read(self, event: Feed.TelemetryRead) -> None:
        self.query_one(Meters).follow(event.samples)
        if self._watch is not None:
            self._watch.see(event.samples)

    def on_feed_console_read(self, event: Feed.ConsoleRead) -> None:
        self.query_one(Console).write(event.text)

    def on_feed_run_lost(self) -> None:
        self.say(f"The folder of run {self.run.id} is gone.", severe=True)
        self.action_close()

    # ------------------------------------------------------------------ what is drawn

    def _paint_soon(self, least: float) -> None:
        """Paints as often as the user wants it, and no more often than every ``least`` seconds."""
        if self._timer is None:
            every = max(self._settings.refresh, least)
            wait = max(0.01, self._painted + every - time.monotonic())
            self._timer = self.set_timer(wait, self._paint)

    def _paint(self) -> None:
        self._timer, self._painted = None, time.monotonic()
        self.query_one(Charts).follow(self.history)
        self.query_one(Activity).follow(self.history)
        self._show_samples()
        self._show_header()

    def _show_header(self) -> None:
        run = self._summary
        if run is None:
            return
        phase = self._phase(run) if run.state in LIVE else self.query_one(Scores).phase
        self.query_one(RunHeader).show(run, phase)
        if self._alarm is None:
            self._alarm = self.set_timer(ALERT_SECONDS, self._show_alerts)
        why = self.query_one("#why", Field)
        reason = why_not(run)
        why.display = bool(reason)
        why.show(reason)

    def _phase(self, run: Summary) -> str:
        """What the worker does; the records know it first, but say nothing before they are read."""
        told, status = self.history.phase, run.status
        if run.state == "queued":
            return status.waits
        if told is None:
            return amounts.phase(status.phase, status.phase_done, status.phase_of)
        return amounts.phase(told.name, told.done, told.of)

    def _show_alerts(self) -> None:
        """The worst of what is wrong, and how much there is of it; good news is no alarm."""
        self._alarm = None
        if self._watch is None or self._summary is None or self._behind:
            return
        found = self._watch.look(self.history, self._summary, self.feed.now())
        self.query_one(Charts).warn(alert_marks(found))
        wrong = [alert for alert in found if alert.wrong]
        self.query_one(RunHeader).warn(wrong[0].level if wrong else None, len(wrong))

    def _show_samples(self) -> None:
        drawn = self.history.samples
        panel = self.query_one(Samples)
        if not drawn:
            panel.show(self.run.path, "")
            return
        index = self._sample_now()
        place = _place(drawn, index) if index >= 0 else "none yet at this step"
        panel.show(self.run.path, folder_of(drawn[index].path) if index >= 0 else "", place)

    def _sample_now(self) -> int:
        """The samples that were the newest at the instant; -1 before the first."""
        if self._picked is not None:
            return min(self._picked, len(self.history.samples) - 1)
        if self._instant is None:
            return len(self.history.samples) - 1
        steps = [sample.step for sample in self.history.samples]
        return bisect_right(steps, self._instant.step) - 1

    def _read_at(self, instant: Instant | None, picked: int | None = None) -> None:
        """Shows everything as it was at one instant; None is now."""
        self._instant, self._picked = instant, picked
        self.query_one(Charts).read_at(instant)
        self.query_one(Meters).read_at(self.run.path, instant.t if instant else None)
        self.query_one(Console).read_at(instant)
        self.query_one(Scores).read_at(instant)
        self._show_samples()

    def on_charts_moved(self, event: Charts.Moved) -> None:
        self._read_at(None if event.step is None else self.history.instant(event.step))

    def on_charts_told(self, event: Charts.Told) -> None:
        self.say(event.sentence, severe=event.severe)

    # ------------------------------------------------------------------ what keys do

    def alerts(self) -> Sequence[Alert]:
        return self._watch.found if self._watch is not None else ()

    def commanded(self, command: Command) -> None:
        activity = self.query_one(Activity)
        activity.request(command)
        activity.follow(self.history)

    def action_sample(self) -> None:
        self.command("sample")

    def action_checkpoint(self) -> None:
        self.command("checkpoint")

    def action_samples(self) -> None:
        shown = self.query_one(Samples).place.relative
        self.post_message(self.SamplesWanted(self.run.id, shown))

    def action_playground(self) -> None:
        self.post_message(self.PlaygroundWanted(self.run.id))  # its summary may not be read yet

    def action_checkpoints(self) -> None:
        self.post_message(self.CheckpointsWanted(self.run.id))

    def action_maximise(self) -> None:
        panel = self.maximized or self._focused_panel()
        if panel is None:
            return
        # After a scroll Textual learns sizes late; it needs the old ones to tell who is resized.
        self.find_widget(panel)
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(panel, container=False)

    def action_scrub(self, by: int) -> None:
        """Goes through the samples, and to the step at which they were drawn."""
        drawn = self.history.samples
        index = max(0, self._sample_now() + by)
        if index >= len(drawn) - 1:
            self._read_at(None)
        else:
            self._read_at(self.history.instant(drawn[index].step), index)

    def action_newest(self) -> None:
        self.query_one(Charts).action_newest()

    def action_log(self) -> None:
        self.query_one(Charts).toggle_log()

    def action_smooth(self, direction: int) -> None:
        self.query_one(Charts).smooth(direction)

    def action_back(self) -> None:
        if self._instant is not None:
            self._read_at(None)
        else:
            self.action_close()

    def action_close(self) -> None:
        if self.maximized is not None:
            self.action_maximise()
        else:
            self.post_message(self.Closed())

    def _focused_panel(self) -> Widget | None:
        if self.focused is None:
            return next(iter(self.query(ChartPanel)), None)
        around = (node for node in self.focused.ancestors_with_self if isinstance(node, _PANELS))
        return next(around, None)


def why_not(run: Summary) -> str:
    """Why a run does not train, and what to do; empty while it trains or if it has finished."""
    if run.state in LIVE or run.state == "finished":
        return ""
    status = run.status
    reason = run.error or status.reason or "nobody says why"
    causes = [reason if reason.startswith(run.state) else f"{run.state}: {reason}"]
    if status.signal is not None:
        causes.append(f"signal {status.signal}")
    elif status.exit_code and run.state != "stopped":
        causes.append(f"exit code {status.exit_code}")
    hint = [] if run.state == "broken" else ["press r to resume"]
    return " · ".join(causes + hint)


def _place(drawn: list[Sample], index: int) -> str:
    many = f" · {index + 1} of {len(drawn)}" if len(drawn) > 1 else ""
    return f"step {drawn[index].step:,}{many}"
