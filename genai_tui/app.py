"""The studio: opens screens on messages, and holds what all of them share."""

import asyncio
import gc
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen

from genai_tui import hangup
from genai_tui import settings as preferences
from genai_tui.alarm_host import AlarmHost
from genai_tui.feed import Feed
from genai_tui.images.detect import Graphics, detect
from genai_tui.last_hop import Visible, VisibleErrors
from genai_tui.navigating import NavigatingApp
from genai_tui.screens.commanding import Commanding
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.too_small import TooSmall, is_too_small
from genai_tui.settings import Settings
from genai_tui.store import LIVE, Run, Store, Summary
from genai_tui.tidying import TidyingApp
from genai_tui.touring import TouringApp
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.alerts.alert import Alert

WIDTHS = [(0, "-narrow"), (100, "-wide"), (150, "-very-wide")]
HEIGHTS = [(0, "-low"), (22, "-short"), (32, "-tall")]
HINT_SECONDS = 12.0
WATCH_SECONDS = 2.0
"""Runs are looked after when all that the user waits for is there."""
MOVES = "move."
"""Begins the names of what is not worth a command: up, down, next page."""
SWITCH_SECONDS = 0.001
"""A key that comes while a thread reads a log waits for a fifth of what Python thinks is fair."""


def _run_commands() -> type[Provider]:
    from genai_tui.palette import RunCommands

    return RunCommands


class StudioApp(NavigatingApp[None], TouringApp[None], AlarmHost[None], TidyingApp[None]):
    """The screens of genai-tui. It reads runs and never imports what trains them."""

    TITLE = "genai-tui"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    COMMANDS = App.COMMANDS | {_run_commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", tooltip="Every key of this screen", id="help"),
        Binding(
            "g",
            "cycle_graphics",
            "pictures",
            show=False,
            tooltip="Draw pictures in the next way that there is",
            id="graphics",
        ),
        Binding(
            "ctrl+p",
            "command_palette",
            "commands",
            show=False,
            tooltip="Find a command by its name",
            id="commands",
        ),
        Binding(
            "ctrl+q",
            "quit",
            "quit",
            show=False,
            tooltip="Leave; trainings go on",
            priority=True,
            id="quit",
        ),
    ]

    def __init__(
        self,
        store: Store,
        *,
        graphics: Graphics | None = None,
        open_run: Run | None = None,
        feed: Feed | None = None,
        settings: Settings | None = None,
        tour: bool = False,
    ) -> None:
        """With ``tour`` the first screen shows the hints for a newcomer."""
        self.store = store
        self._open_run = open_run
        self._tour = tour
        self.feed = feed or Feed(store)
        self._visible = Visible()
        super().__init__(settings, graphics)
        self.error_console.push_render_hook(VisibleErrors(self.error_console))

    def get_default_screen(self) -> Screen[None]:
        # The list stands at the bottom, unless the user came for one run and may never look at it.
        return self.home() if self._open_run is None else Screen()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [self._visible, *super().get_line_filters()]

    def on_mount(self) -> None:
        self.feed.start()
        if self._open_run is not None:
            self.push_screen(self._run_screen(self._open_run))
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.exit)
            hangup.watch(0, lambda: loop.call_soon_threadsafe(self.exit))

    def on_unmount(self) -> None:
        self.unwatch_runs()
        self.feed.stop()

    def on_ready(self) -> None:
        self._replay(self.graphics.typed)
        if self.graphics.hint:
            way = f"Pictures are drawn as {self.graphics.mode} cells; {self.graphics.hint}."
            self.notify(visible(way), markup=False, timeout=HINT_SECONDS)
        if self._tour:
            self.show_hints()
        if not self.is_headless:
            self.set_timer(WATCH_SECONDS, self.watch_runs)

    def on_resize(self, event: events.Resize) -> None:
        small = is_too_small(event.size.width, event.size.height)
        covered = isinstance(self.screen, TooSmall)
        if small and not covered:
            self.push_screen(TooSmall())
        elif covered and not small:
            self.pop_screen()

    def on_runs_screen_opened(self, event: RunsScreen.Opened) -> None:
        self.open_run(event.run_id)

    def on_runs_screen_new_wanted(self) -> None:
        from genai_tui.screens.new_run import NewRunScreen

        self.push_screen(NewRunScreen(self.store))

    def on_commanding_fork_wanted(self, event: Commanding.ForkWanted) -> None:
        from genai_tui.screens.new_run import NewRunScreen

        self.push_screen(NewRunScreen(self.store, fork=event.fork))

    def on_runs_screen_compare_wanted(self, event: RunsScreen.CompareWanted) -> None:
        self.compare(event.ids)

    def on_compare_screen_closed(self) -> None:
        self.pop_screen()

    def on_commanding_alerts_wanted(self, event: Commanding.AlertsWanted) -> None:
        known = self.alerts.get(event.run.id) if event.alerts is None else event.alerts
        if known is None:
            self.look_over(event.run)  # it had ended before anybody looked
        else:
            self.show_alerts(event.run, known)

    def show_alerts(self, run: Summary, found: "Sequence[Alert]") -> None:
        from genai_tui.screens.alerts import AlertsScreen

        self.push_screen(AlertsScreen(run.name, found, self.feed.now()))

    def alerts_changed(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, RunsScreen):
                screen.show_alerts(self.alerts)

    def on_new_run_screen_started(self, event: "RunMessage") -> None:
        self.pop_screen()
        for screen in self.screen_stack:
            if isinstance(screen, RunsScreen):
                screen.point_to(event.run_id)
        self.open_run(event.run_id)

    def on_new_run_screen_swept(self, event: "SweepMessage") -> None:
        for screen in self.screen_stack:
            if isinstance(screen, RunsScreen):
                screen.point_to(event.ids[0])
        self.go_home()
        told = f"{len(event.ids)} runs are queued; the filter tag:{event.tag} shows them alone."
        self.notify(told, markup=False)

    def on_new_run_screen_cancelled(self) -> None:
        self.pop_screen()

    def on_gpus_screen_opened(self, event: "RunMessage") -> None:
        self.open_run(event.run_id)

    def on_run_screen_closed(self) -> None:
        if len(self.screen_stack) == 2 and self._open_run is not None:
            self.go_home()
        else:
            self.pop_screen()

    def on_commanding_samples_wanted(self, event: "SamplesMessage") -> None:
        self.open_samples(event.run_id, event.relative)

    def on_gallery_screen_opened(self, event: "TileMessage") -> None:
        self.open_samples(event.run_id, event.relative, event.tile)

    def on_gallery_screen_playground_wanted(self, event: "StepMessage") -> None:
        self.open_playground(event.run_id, event.step)

    def open_samples(self, run_id: str, relative: str, tile: int | None = None) -> None:
        """Shows all samples of a run, beginning with those in a folder of it, or one of them."""
        from genai_tui.screens.samples import SamplesScreen

        run = Run(self.store.root / run_id)
        self.push_screen(SamplesScreen(self.store, self.feed, run, relative, tile))

    def on_commanding_playground_wanted(self, event: "RunMessage") -> None:
        self.open_playground(event.run_id)

    def open_playground(self, run_id: str, step: int | None = None) -> None:
        """Draws from a run's checkpoints, beginning with that of ``step``, or the newest."""
        from genai_tui.screens.playground import PlaygroundScreen

        self.push_screen(PlaygroundScreen(Run(self.store.root / run_id), step=step))

    def on_run_screen_checkpoints_wanted(self, event: "RunMessage") -> None:
        from genai_tui.screens.checkpoints import CheckpointsScreen

        self.push_screen(CheckpointsScreen(Run(self.store.root / event.run_id)))

    def on_checkpoints_screen_playground_wanted(self, event: "StepMessage") -> None:
        self.pop_screen()
        self.open_playground(event.run_id, event.step)

    def on_checkpoints_screen_fork_wanted(self, event: Commanding.ForkWanted) -> None:
        self.pop_screen()
        self.on_commanding_fork_wanted(event)

    def on_playground_screen_closed(self) -> None:
        self.pop_screen()

    def watch_settings(self, before: Settings, now: Settings) -> None:
        super().watch_settings(before, now)
        if now.runs != before.runs:
            self._move_to(preferences.runs_folder(now.runs))

    def _move_to(self, folder: Path) -> None:
        """Shows the runs of another folder."""
        self.unwatch_runs()
        self.feed.stop()
        self.store = Store(folder)
        self.feed = type(self.feed)(self.store)
        self.feed.start()
        self.pop_down_to(1)
        self._open_run = None
        self.push_screen(self.home())  # the bottom of the stack cannot be replaced
        self.action_go("settings")
        if not self.is_headless:
            self.watch_runs()

    def open_run(self, run_id: str) -> None:
        """Watches a run."""
        self.push_screen(self._run_screen(Run(self.store.root / run_id)))

    def compare(self, ids: Sequence[str]) -> None:
        """Shows several runs side by side."""
        from genai_tui.comparison import FEWEST, MOST
        from genai_tui.screens.compare import CompareScreen

        if not FEWEST <= len(ids) <= MOST:
            self.notify(f"Mark {FEWEST} to {MOST} runs to compare them: {len(ids)} are marked.")
            return
        runs = [Run(self.store.root / run_id) for run_id in ids]
        self.push_screen(CompareScreen(self.feed, runs, settings=self.settings))

    def action_help(self) -> None:
        from genai_tui.screens.help import HelpScreen, keys_of

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(keys_of(self.screen, self._notes())))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen by its name, so that none need be remembered."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.id and not binding.id.startswith(MOVES) and active.enabled:
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(binding.description.capitalize(), binding.tooltip, run)
        yield SystemCommand("Theme", "Choose the colours", self.action_change_theme)

    def _run_screen(self, run: Run) -> Screen[None]:
        # Imported here because charts and pictures are not needed for the first paint of the list.
        from genai_tui.screens.run import RunScreen

        return RunScreen(self.store, self.feed, run, settings=self.settings)

    def _notes(self) -> list[str]:
        parts = [f"pictures as {self.graphics.status}", self.graphics.hint]
        return [" · ".join(part for part in parts if part), f"runs in {self.store.root}"]

    def _replay(self, typed: str) -> None:
        """Keys that were typed while the terminal was asked what it can do."""
        if typed:
            from textual._xterm_parser import XTermParser

            for message in XTermParser().feed(typed):
                self.post_message(message)


class RunMessage(Message):
    """What the App needs of a message about a run, whose module is loaded when it is wanted."""

    run_id: str


class SweepMessage(Message):
    """The same of a message about the runs of a sweep."""

    tag: str
    ids: Sequence[str]


class StepMessage(RunMessage):
    """The same of a message about a checkpoint of a run."""

    step: int


class SamplesMessage(Message):
    """What the App needs of a message that names samples, whoever posted it."""

    run_id: str
    relative: str


class TileMessage(SamplesMessage):
    """The same of one that may name a single sample."""

    tile: int | None


def run_studio(
    store: Store,
    open_run: Run | None = None,
    graphics: str | None = None,
    *,
    low_bandwidth: bool = False,
) -> None:
    """Asks the terminal what it can show, runs the studio, and says what goes on without it.

    Raises:
        ValueError: ``graphics`` is no way of showing pictures.
        SettingsError: the settings file cannot be used.
    """
    gc.disable()  # until the first paint: a tenth of the time it takes would go there
    sys.setswitchinterval(SWITCH_SECONDS)
    from genai_tui.widgets.tour import was_seen as tour_was_seen

    settings = preferences.load()
    if low_bandwidth:
        settings = replace(settings, low_bandwidth=True)
    tour = open_run is None and not tour_was_seen()
    found = detect(graphics)
    gc.freeze()  # the program itself is not looked through; any later a screen would be frozen, too
    app = StudioApp(store, graphics=found, open_run=open_run, settings=settings, tour=tour)
    app.run()
    if app.is_web:  # nobody reads it, and stdout is the page's
        return
    live = sum(run.state in LIVE for run in store.summaries())
    if live:
        word = "run goes" if live == 1 else "runs go"
        print(f"{live} {word} on; genai-tui shows them again.")
