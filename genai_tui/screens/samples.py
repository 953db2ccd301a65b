"""The time machine: all sample steps of one run, to go through, compare and look into."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer

from genai_tui import stars
from genai_tui.classes import known_classes
from genai_tui.feed import Feed
from genai_tui.sample_files import Drawn
from genai_tui.screens.comparing import Comparing
from genai_tui.screens.exporting import Chosen
from genai_tui.screens.keeping import quiet
from genai_tui.stars import Keepsake
from genai_tui.store import Run, Store
from genai_tui.widgets.field import entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.sample_facts import Known, SampleFacts
from genai_tui.widgets.sample_pages import Look, Place
from genai_tui.widgets.sample_view import SampleView
from genai_tui.widgets.timeline import Course, Timeline

PLAY_SECONDS = 0.4
"""From one step to the next; more where reading takes more."""
BLINK_SECONDS = 0.6
SPARED_SECONDS = 2.0
"""The same where the line to the terminal is slow."""
NAMED = 6
"""Starred samples whose numbers are told."""
_NOTHING = "This run has no samples yet: sample_every says when, s on its screen draws some now."


class SamplesScreen(Comparing):
    """Scrubs, plays, blinks and compares; `enter` shows one sample large."""

    CSS_PATH = "samples.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        quiet("asterisk", "star", "star", "Star it, to find it again", "samples.star"),
        quiet("E", "export", "export", "Save it as a file", "samples.export"),
        quiet("left", "scrub(-1)", "before", "The samples before", "samples.before"),
        quiet("right", "scrub(1)", "after", "The samples after", "samples.after"),
        quiet("home", "go(0)", "first", "The first samples", "samples.first"),
        quiet("end", "go(-1)", "newest", "The newest, from now on", "samples.newest"),
        Binding("space", "play_steps", "play", tooltip="Play all steps", id="samples.play"),
        Binding("b", "blink", "blink", tooltip="Blink with the marked step", id="samples.blink"),
        Binding("d", "differ", "difference", tooltip="Show what differs", id="samples.differ"),
        Binding("enter", "enlarge", "large", tooltip="One sample, large", id="samples.enlarge"),
        quiet("j,pagedown", "turn(1)", "next page", "More samples", "samples.down"),
        quiet("k,pageup", "turn(-1)", "page before", "Samples before", "samples.up"),
        quiet("down", "point(1)", "next sample", "To the next sample", "samples.next"),
        quiet("up", "point(-1)", "sample before", "To the sample before", "samples.previous"),
        Binding("q,escape", "back", "back", tooltip="Back to where you were", id="samples.back"),
    ]

    def __init__(
        self, store: Store, feed: Feed, run: Run, relative: str = "", tile: int | None = None
    ) -> None:
        """Begins at the samples in the folder ``relative``, or large at one of them; empty are the
        newest."""
        super().__init__(store, run, relative)
        self.feed = feed
        self._kept: dict[str, Keepsake] = {}
        self._class_names: list[str] = []
        self._page = 0
        self._cursor = tile
        self._is_large = tile is not None
        self._differs: bool | None = None  # None: as suits the kind
        self._shows_reference = False
        self._playing: Timer | None = None
        self._blinking: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="look"):
            yield SampleView(nothing=_NOTHING, id="view", pictures=2)
            yield SampleFacts(id="facts")
        yield Timeline(id="timeline")
        yield KeyBar()

    def on_mount(self) -> None:
        self._view = self.query_one(SampleView)
        self.feed.samples_to(self.run, self)
        self._read_classes()

    def on_unmount(self) -> None:
        self.feed.drop(self)

    @work(thread=True, group="classes")
    def _read_classes(self) -> None:
        classes = known_classes(self.run)
        self.studio.call_from_thread(self._know, classes)

    def _know(self, classes: list[str]) -> None:
        self._class_names = classes
        self._show_facts()

    # ------------------------------------------------------------------ what there is

    def on_feed_samples_read(self, event: Feed.SamplesRead) -> None:
        self.moments.tell(event.drawn)
        self._kept = event.kept
        self._view.forget()
        self._look()

    def on_sample_view_shown(self, event: SampleView.Shown) -> None:
        if event.look is not None:
            self._look()  # now that their kind is known
        if self._playing or self._blinking:
            self._view.demand()  # who plays asks for every picture

    @property
    def kind(self) -> str:
        return self._view.page.kind

    def show_compared(self) -> None:
        if self._other is not None and self._blinking is None:
            self.action_blink()  # seen at once, beside what was there
        self._look()

    @property
    def chosen(self) -> Chosen | None:
        now = self._shown[1]
        tile = self._cursor if self._cursor is not None or not self._is_large else 0
        return None if now is None else Chosen(self._shown[0], now, tile)

    def keep(self, run_id: str, kept: dict[str, Keepsake]) -> None:
        if run_id == self.run.id:
            self._kept = kept
            self._look()

    @property
    def _shown(self) -> tuple[Run, Drawn | None]:
        """What is seen: the present samples, or at every other blink the ones compared with."""
        return self.reference if self._shows_reference else (self.run, self.moments.now)

    @property
    def _starred(self) -> frozenset[int]:
        """The numbers of those that are starred by themselves, of what is seen."""
        run, shown = self._shown
        if shown is None or run is not self.run or self._is_large:
            return frozenset()
        named = [stars.samples_of(name) for name, kept in self._kept.items() if kept.starred]
        return frozenset(
            tile for folder, tile in named if folder == shown.relative and tile is not None
        )

    @property
    def _compares(self) -> bool:
        """Texts always show what has changed, unless asked not to."""
        return self.kind == "text" if self._differs is None else self._differs

    # ------------------------------------------------------------------ what is drawn

    def _look(self) -> None:
        place, other = _place(*self._shown), _place(*self.reference)
        if place is None:
            self._view.look(None)
        else:
            compares = self._compares and not self._shows_reference
            tile = (self._cursor or 0) if self._is_large else None
            page = 0 if self._is_large else self._page
            look = Look(place, page, tile, other if compares else None, compares)
            self._view.look(look, None if self._is_large else self._cursor, self._starred)
        self.set_class(self._is_large, "-large")
        self._entitle()
        self._show_facts()
        self._show_course()

    def _entitle(self) -> None:
        run, shown = self._shown
        page, index, count = self._view.page, self.moments.index, len(self.moments.drawn)
        what = [run.label]
        if shown is not None:
            what.append(f"step {shown.step:,}")
        if count and not self._shows_reference:
            what.append(f"{index + 1} of {count}")
        if page.of > 1:
            word, at = ("sample", page.first) if self._is_large else ("page", self._page % page.of)
            what.append(f"{word} {at + 1} of {page.of}")
        entitle(self._view, " · ".join(what), " · ".join(filter(None, self._doings())))

    def _doings(self) -> list[str]:
        against = self.against
        compared = f"changes since {against}" if self.kind == "text" else against
        return [
            "playing" if self._playing else "",
            f"blinking with {against}" if self._blinking else "",
            f"{compared} · {self._view.page.note}" if self._compares and against else "",
            _named(self._starred),
            self._view.way,
        ]

    def _show_facts(self) -> None:
        chosen, page = self.chosen, self._view.page
        if chosen is None:
            self.query_one(SampleFacts).show(None)
            return
        mine, number = chosen.run is self.run, chosen.tile
        file = None if number is None else dict(enumerate(page.each)).get(number)
        known = Known(
            chosen.drawn,
            page.told,
            self._class_names,
            chosen.tile,
            page.count,
            page.note,
            self.against,
            self._kept.get(chosen.name, Keepsake()) if mine else Keepsake(),
            str(file or (chosen.run.path / chosen.drawn.relative).absolute()),
        )
        self.query_one(SampleFacts).show(known)

    def _show_course(self) -> None:
        drawn, marked = self.moments.drawn, self.moments.marked
        starred = frozenset(
            stars.samples_of(name)[0] for name, kept in self._kept.items() if kept.starred
        )
        at = -1 if marked is None else drawn.index(marked)
        self.query_one(Timeline).show(Course(drawn, self.moments.index, at, starred))

    # ------------------------------------------------------------------ what keys do

    def action_scrub(self, by: int) -> None:
        self._halt()
        self.moments.scrub(by)
        self._look()

    def action_go(self, index: int) -> None:
        self._halt()
        self.moments.go(index % max(1, len(self.moments.drawn)))
        self._look()

    def on_timeline_chosen(self, event: Timeline.Chosen) -> None:
        self.action_go(event.index)

    def action_play_steps(self) -> None:
        if self._playing is not None:
            self._halt()
        elif self.moments.drawn:
            self._halt()
            if self.moments.is_newest:
                self.moments.go(0)
            self._playing = self.set_interval(self._pace(PLAY_SECONDS), self._advance)
        self._look()

    def action_blink(self) -> None:
        blinks = self._blinking is not None
        self._halt()
        if not blinks and self.reference[1] is not None:
            self._blinking = self.set_interval(self._pace(BLINK_SECONDS), self._swap)
            self._shows_reference = True
        elif not blinks:
            self.say("There is nothing to blink with: m marks a step, B chooses another run.")
        self._look()

    def action_differ(self) -> None:
        self._differs = not self._compares
        if self._differs and self.reference[1] is None:
            self.say("There is nothing to compare with: m marks a step, B chooses another run.")
        self._look()

    def action_enlarge(self) -> None:
        if self.moments.drawn:
            self._is_large = not self._is_large
            self._look()

    def on_sample_view_pointed(self, event: SampleView.Pointed) -> None:
        again = self._cursor == event.number
        self._cursor = event.number
        self._look()
        if again:
            self.action_enlarge()

    def action_turn(self, pages: int) -> None:
        page = self._view.page
        if self._is_large:
            self.action_point(pages)
        elif not self._view.scroll_texts(pages) and page.of > 1:
            self._page = (self._page + pages) % page.of
            if self._cursor is not None and page.arrangement is not None:
                self._cursor = self._page * page.arrangement.per_page
            self._look()

    def action_point(self, by: int) -> None:
        page = self._view.page
        if not page.count:
            return
        begins = self._cursor is None and not self._is_large
        self._cursor = page.first if begins else ((self._cursor or 0) + by) % page.count
        if page.arrangement is not None:
            self._page = self._cursor // page.arrangement.per_page
        self._look()

    def action_back(self) -> None:
        if self._is_large:
            self.action_enlarge()
        elif self._cursor is not None:
            self._cursor = None
            self._look()
        else:
            self.dismiss()

    def _pace(self, seconds: float) -> float:
        """Not faster than a spared line may be."""
        return max(seconds, SPARED_SECONDS) if self._is_spared else seconds

    @property
    def _is_spared(self) -> bool:
        return bool(getattr(self.studio, "on_demand", False))

    def _advance(self) -> None:
        if self._view.is_settled and not self.moments.scrub(1):
            self._halt()
        self._look()

    def _swap(self) -> None:
        if self._view.is_settled:
            self._shows_reference = not self._shows_reference
            self._look()

    def _halt(self) -> None:
        """Stops what goes on by itself."""
        for timer in (self._playing, self._blinking):
            if timer is not None:
                timer.stop()
        self._playing = self._blinking = None
        self._shows_reference = False


def _named(starred: frozenset[int]) -> str:
    """Which samples are starred, in few words."""
    if not starred:
        return ""
    first = sorted(starred)[:NAMED]
    more = f" and {len(starred) - NAMED} more" if len(starred) > NAMED else ""
    return "★ " + ", ".join(str(tile + 1) for tile in first) + more


def _place(run: Run, drawn: Drawn | None) -> Place | None:
    return None if drawn is None else Place(run.path, drawn.relative)
