"""Several runs side by side: curves, what differs in their knobs, last and best values, samples."""

import math
import time
from collections.abc import Sequence
from typing import ClassVar, cast

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from genai_tui import comparison
from genai_tui.alerts.watch import AlertWatch
from genai_tui.feed import Feed
from genai_tui.settings import Settings
from genai_tui.store import Run, RunError
from genai_tui.visible import visible
from genai_tui.widgets.chart_panel import ChartPanel
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.contenders import knob_sheet, scalar_sheet, who
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.overlay import Overlay
from genai_tui.widgets.page_bar import PageBar
from genai_tui.widgets.sample_row import SampleRow
from genai_tui.widgets.sheet import Sheet
from genai_tui.widgets.smoothed import Smoothing

PAGES = ("curves", "knobs", "scalars", "samples")
ALERT_SECONDS = 2.0
"""What is wrong with the runs is looked for at most this often."""
TOGETHER_WIDTH, TOGETHER_HEIGHT = 150, 40
"""From this size on all pages are shown at once."""


class CompareScreen(Screen[None]):
    """Holds what has been read of each run; its widgets are told what to draw."""

    class Closed(Message):
        """The user wants to go back."""

    class Told(Message, bubble=False):
        """The feed has something to say of one of the runs."""

        def __init__(self, contender: Contender, message: Message) -> None:
            super().__init__()
            self.contender = contender
            self.message = message

    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = ""
    ALLOW_IN_MAXIMIZED_VIEW = "#who, KeyBar"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "right_square_bracket", "turn(1)", "next page", tooltip="Next page", id="compare.next"
        ),
        Binding(
            "left_square_bracket",
            "turn(-1)",
            "page before",
            show=False,
            tooltip="Page before",
            id="compare.before",
        ),
        Binding(
            "equals_sign", "all", "all knobs", tooltip="Equal knobs, too, or not", id="compare.all"
        ),
        Binding("f", "maximise", "maximise", tooltip="One panel alone, or all", id="compare.f"),
        Binding("left", "move(-1)", "earlier", tooltip="The samples before", id="compare.left"),
        Binding("right", "move(1)", "later", tooltip="The samples after", id="compare.right"),
        Binding(
            "end",
            "newest",
            "newest",
            show=False,
            tooltip="The newest step, from now on",
            id="compare.newest",
        ),
        Binding("l", "log", "log y", show=False, tooltip="Logarithmic y axis", id="compare.log"),
        Binding("plus", "smooth(1)", "smoother", show=False, tooltip="Smoother", id="compare.plus"),
        Binding(
            "minus", "smooth(-1)", "rougher", show=False, tooltip="Rougher", id="compare.minus"
        ),
        Binding("q,escape", "close", "back", tooltip="Back to the runs", id="compare.q"),
    ]

    def __init__(
        self, feed: Feed, runs: Sequence[Run], *, settings: Settings | None = None
    ) -> None:
        super().__init__()
        self._settings = settings or Settings()
        self.feed = feed
        self._runs = runs
        self.contenders: list[Contender] = []
        self._page = PAGES[0]
        self._alone = False
        self._all_knobs = False
        self._timer: Timer | None = None
        self._alarm: Timer | None = None
        self._painted = 0.0

    def compose(self) -> ComposeResult:
        yield Field(id="who")
        yield PageBar(PAGES, id="pages")
        with Horizontal(id="compare"):
            with Vertical(id="left"):
                yield Overlay(self._settings.smoothing, id="curves")
                yield SampleRow(id="samples")
            with Vertical(id="right"):
                yield Sheet(id="knobs")
                yield Sheet(id="scalars", nothing="no scalars yet")
        yield KeyBar()

    def on_mount(self) -> None:
        entitle(self.query_one("#knobs"), "knobs")
        entitle(self.query_one("#scalars"), "scalars", "* best of all that learn the same")
        self._show_page()
        self._meet()
        self.watch(self.app, "settings", self._prefer, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    def _prefer(self, settings: Settings) -> None:
        """The user has changed a setting."""
        if settings.smoothing != self._settings.smoothing:
            self.query_one(Overlay).smooth_by(settings.smoothing)
        self._settings = settings

    def on_unmount(self) -> None:
        for one in self.contenders:
            self.feed.drop(one)

    def on_resize(self) -> None:
        if not self._is_there:
            return
        self._show_page()
        self._show_who()

    @work(thread=True)
    def _meet(self) -> None:
        """Reads what was asked of each run; one that cannot be read is left out, and says why."""
        colours = comparison.colours([run.id for run in self._runs])
        found: list[Contender] = []
        for run, colour in zip(self._runs, colours, strict=True):
            try:
                spec = run.spec()
            except RunError as error:
                self._studio.call_from_thread(self._say, str(error))
                continue
            letter = comparison.LETTERS[len(found)]
            smoothing, watch = Smoothing(self._settings.smoothing), AlertWatch(spec)
            found.append(Contender(run, spec, letter, colour, self._told, smoothing, watch))
        self._studio.call_from_thread(self._begin, found)

    @property
    def _is_there(self) -> bool:
        """False while it closes, when what it is made of has gone and messages still come."""
        return bool(self.query("#who"))

    async def _begin(self, found: list[Contender]) -> None:
        if not self._is_there:
            return
        await self.query_one(SampleRow).seat(found)
        self.contenders = found
        for one in found:
            self.feed.follow(one.run, one)
        self._paint_soon()

    def _told(self, contender: Contender, message: Message) -> bool:
        """Called by the feed's thread."""
        return self.post_message(self.Told(contender, message))

    # ------------------------------------------------------------------ what the feed has read

    def on_compare_screen_told(self, event: Told) -> None:
        if not self._is_there:
            return
        one, message = event.contender, event.message
        if isinstance(message, Feed.RecordsRead):
            one.history.fold(message.chunk.records, message.chunk.damaged)
            message.taken.set()
            one.behind = message.chunk.more
            self._paint_soon()
        elif isinstance(message, Feed.StatusRead):
            one.summary = message.summary
            self._show_who()
        elif isinstance(message, Feed.RunLost):
            self._say(f"The folder of run {one.run.id} is gone.")
            self.feed.drop(one)

    # ------------------------------------------------------------------ what is drawn

    def _paint_soon(self) -> None:
        if self._timer is None:
            wait = max(0.01, self._painted + self._settings.refresh - time.monotonic())
            self._timer = self.set_timer(wait, self._paint)

    def _paint(self) -> None:
        self._timer, self._painted = None, time.monotonic()
        if not self._is_there:
            return
        self._show_who()
        self.query_one(Overlay).follow_all(self.contenders)
        self._show_samples()
        self._show_sheets()
        if self._alarm is None:
            self._alarm = self.set_timer(ALERT_SECONDS, self._mark_alerts)
        if self.focused is None:
            self._focus_page()

    def _mark_alerts(self) -> None:
        """Marks on the curves where something is wrong with a run."""
        self._alarm = None
        if not self._is_there:
            return
        for one in self.contenders:
            if one.summary is not None and not one.behind:
                one.watch.look(one.history, one.summary, self.feed.now())
        self.query_one(Overlay).follow_all(self.contenders)

    def _show_who(self) -> None:
        dark = self._studio.current_theme.dark
        room = self.query_one("#who", Field).content_size.width
        self.query_one("#who", Field).show(*who(self.contenders, room, dark=dark), layout=True)

    def _show_sheets(self) -> None:
        """Only what is in sight: to look for the best of a million points takes a while."""
        dark = self._studio.current_theme.dark
        knobs, scalars = self.query_one("#knobs", Sheet), self.query_one("#scalars", Sheet)
        if self._is_shown("knobs"):
            knobs.show(*knob_sheet(self.contenders, everything=self._all_knobs, dark=dark))
        if self._is_shown("scalars"):
            scalars.show(*scalar_sheet(self.contenders, self._steps, dark=dark))

    def _show_samples(self) -> None:
        dark = self._studio.current_theme.dark
        self.query_one(SampleRow).follow(self._steps, dark=dark)
        self._show_pages()

    @property
    def _steps(self) -> list[float] | None:
        """The step of each run that is read; None is now."""
        return self.query_one(Overlay).lens.steps

    def _show_page(self) -> None:
        """Arranges the screen for its size and the page that is open."""
        width, height = self.size
        room = width >= TOGETHER_WIDTH and height >= TOGETHER_HEIGHT
        self.set_class(room and not self._alone, "-together")
        for page in PAGES:
            self.set_class(page == self._page, f"-page-{page}")
        self._show_pages()

    def _show_pages(self) -> None:
        steps = None if self._is_shown("curves") else self._steps  # the curves say it themselves
        at = "" if steps is None else f"step {max(steps, default=0):,.0f}"
        self.query_one(PageBar).turn(self._page, at)

    def _is_shown(self, page: str) -> bool:
        return self._page == page or self.has_class("-together")

    # ------------------------------------------------------------------ what keys do

    def on_page_bar_chosen(self, event: PageBar.Chosen) -> None:
        self._open(event.page)

    def action_turn(self, pages: int) -> None:
        self._open(PAGES[(PAGES.index(self._page) + pages) % len(PAGES)])

    def _open(self, page: str) -> None:
        if self.maximized is not None:
            self.minimize()
        self._page = page
        self._show_page()
        self._show_sheets()
        self.call_after_refresh(self._focus_page)

    def _focus_page(self) -> None:
        if self._page == "curves":
            grid = self.query_one(Overlay).grid
            grid.focus_on(*(chart.group for chart in grid.shown[:1]))
        else:
            self.query_one(f"#{self._page}").focus()

    def action_move(self, direction: int) -> None:
        """To the next step at which a run has drawn samples; beyond the newest is now."""
        drawn = comparison.sampled_steps([one.history for one in self.contenders])
        now = math.inf if self._steps is None else max(self._steps)
        if direction < 0:
            self._read_at(max((step for step in drawn[:-1] if step < now), default=None))
        else:
            self._read_at(min((step for step in drawn[:-1] if step > now), default=None))

    def action_newest(self) -> None:
        self._read_at(None)

    def on_charts_moved(self, event: Charts.Moved) -> None:
        self._read_at(event.step)

    def on_charts_told(self, event: Charts.Told) -> None:
        self.notify(visible(event.sentence), markup=False)

    def _read_at(self, step: float | None) -> None:
        """One instant for the whole screen; None is now."""
        self.query_one(Overlay).read_step(step)
        self._show_samples()
        self._show_sheets()

    def action_all(self) -> None:
        self._all_knobs = not self._all_knobs
        if not self._is_shown("knobs"):
            self._open("knobs")
        self._show_sheets()

    def action_maximise(self) -> None:
        """The focused chart alone; of what is together, the focused panel."""
        chart = self.maximized or self.focused
        if not isinstance(chart, ChartPanel):
            self._alone = not self._alone
            self._show_page()
            return
        # After a scroll Textual learns sizes late; it needs the old ones to tell who is resized.
        self.find_widget(chart)
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(chart, container=False)

    def action_log(self) -> None:
        self.query_one(Overlay).toggle_log()

    def action_smooth(self, direction: int) -> None:
        self.query_one(Overlay).smooth(direction)

    def action_close(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.post_message(self.Closed())

    @property
    def _studio(self) -> App[object]:
        return cast(App[object], self.app)

    def _say(self, sentence: str) -> None:
        self.notify(visible(sentence), severity="warning", markup=False)
