"""Several runs side by side: curves, what differs in their knobs, last and best values, samples."""

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
from genai_tui.feed import Feed
from genai_tui.settings import Settings
from genai_tui.store import Run, RunError
from genai_tui.visible import visible
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.contenders import knob_sheet, scalar_sheet, who
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.overlay import Overlay, OverlayChart
from genai_tui.widgets.page_bar import PageBar
from genai_tui.widgets.sample_row import SampleRow
from genai_tui.widgets.sheet import Sheet
from genai_tui.widgets.smoothed import Smoothing

PAGES = ("curves", "knobs", "scalars", "samples")
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
        Binding("left", "move(-1)", "earlier", tooltip="An earlier step", id="compare.left"),
        Binding("right", "move(1)", "later", tooltip="A later step", id="compare.right"),
        Binding(
            "equals_sign", "all", "all knobs", tooltip="Equal knobs, too, or not", id="compare.all"
        ),
        Binding("f", "maximise", "maximise", tooltip="One panel alone, or all", id="compare.f"),
        Binding("end", "newest", "newest", show=False, tooltip="The newest step, from now on"),
        Binding("home", "fit", "fit", show=False, tooltip="The whole axis", id="compare.fit"),
        Binding("i", "zoom(True)", "zoom in", show=False, tooltip="Zoom in", id="compare.in"),
        Binding("I", "zoom(False)", "zoom out", show=False, tooltip="Zoom out", id="compare.out"),
        Binding("shift+left", "pan(-1)", "pan left", show=False, tooltip="Pan to the left"),
        Binding("shift+right", "pan(1)", "pan right", show=False, tooltip="Pan to the right"),
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
        self._step: float | None = None  # None follows the newest
        self._timer: Timer | None = None
        self._painted = 0.0

    def compose(self) -> ComposeResult:
        yield Field(id="who")
        yield PageBar(PAGES, id="pages")
        with Horizontal(id="compare"):
            with Vertical(id="left"):
                yield Overlay(id="curves")
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
            smoothing = Smoothing(self._settings.smoothing)
            found.append(Contender(run, spec, letter, colour, self._told, smoothing))
        self._studio.call_from_thread(self._begin, found)

    async def _begin(self, found: list[Contender]) -> None:
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
        one, message = event.contender, event.message
        if isinstance(message, Feed.RecordsRead):
            one.history.fold(message.chunk.records, message.chunk.damaged)
            message.taken.set()
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
        self._show_who()
        self.query_one(Overlay).follow(self.contenders)
        self._show_samples()
        self._show_sheets()
        if self.focused is None:
            self._focus_page()

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
            scalars.show(*scalar_sheet(self.contenders, self._step, dark=dark))

    def _show_samples(self) -> None:
        histories = [one.history for one in self.contenders]
        steps = comparison.sampled_steps(histories)
        newest = steps[-1] if steps else 0
        step = newest if self._step is None else int(self._step)
        dark = self._studio.current_theme.dark
        self.query_one(SampleRow).follow(step, dark=dark)
        self._show_pages()

    def _show_page(self) -> None:
        """Arranges the screen for its size and the page that is open."""
        width, height = self.size
        room = width >= TOGETHER_WIDTH and height >= TOGETHER_HEIGHT
        self.set_class(room and not self._alone, "-together")
        for page in PAGES:
            self.set_class(page == self._page, f"-page-{page}")
        self._show_pages()

    def _show_pages(self) -> None:
        at = "" if self._step is None else f"step {int(self._step):,}"
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
            self.query_one(Overlay).focus_first()
        else:
            self.query_one(f"#{self._page}").focus()

    def action_move(self, direction: int) -> None:
        """One instant for the whole screen: to the next samples, or along the curves."""
        overlay = self.query_one(Overlay)
        extent = overlay.extent
        if self._page == "samples":
            self._step = self._neighbour(direction)
        elif extent is not None:
            now = extent[1] if self._step is None else self._step
            step = round(now + direction * overlay.stride)
            self._step = None if step >= extent[1] else max(extent[0], step)
        overlay.point(self._step)
        self._show_samples()
        self._show_sheets()

    def _neighbour(self, direction: int) -> float | None:
        """The next step that has samples in that direction; None at the newest."""
        steps = comparison.sampled_steps([one.history for one in self.contenders])
        if not steps:
            return None
        now = steps[-1] if self._step is None else self._step
        if direction < 0:
            return max((step for step in steps if step < now), default=steps[0])
        after = min((step for step in steps if step > now), default=steps[-1])
        return None if after == steps[-1] else after

    def action_newest(self) -> None:
        self._step = None
        self.query_one(Overlay).point(None)
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
        if not isinstance(chart, OverlayChart):
            self._alone = not self._alone
            self._show_page()
            return
        # After a scroll Textual learns sizes late; it needs the old ones to tell who is resized.
        self.find_widget(chart)
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(chart, container=False)

    def action_fit(self) -> None:
        self.query_one(Overlay).fit()

    def action_zoom(self, inwards: bool) -> None:
        self.query_one(Overlay).zoom(inwards)

    def action_pan(self, direction: int) -> None:
        self.query_one(Overlay).pan(direction)

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
