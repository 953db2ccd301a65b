"""The list of all runs, with the machine and the newest samples of the chosen run beside it."""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from genai_tui.feed import Feed
from genai_tui.screens.annotating import Annotating
from genai_tui.screens.commanding import PLAYGROUND
from genai_tui.store import Store, Summary
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.machine import MachinePanel
from genai_tui.widgets.run_list import RunList
from genai_tui.widgets.run_look import Look
from genai_tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from genai_tui.alerts.alert import Alert

AGES_SECONDS = 20.0


def _quiet(key: str, action: str, name: str, tooltip: str) -> Binding:
    """A key that only the help, the palette and who knows it find."""
    return Binding(key, action, name, show=False, tooltip=tooltip, id=f"runs.{action}")


class RunsScreen(Annotating):
    """What there is, how it goes, and what to press."""

    class Opened(Message):
        """The user wants to watch a run."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class NewWanted(Message):
        """The user wants to start a run."""

    class CompareWanted(Message):
        """The user wants to see these runs side by side, in the order of the list."""

        def __init__(self, ids: Sequence[str]) -> None:
            super().__init__()
            self.ids = ids

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new run", tooltip="Pick a generator and train it", id="runs.new"),
        Binding(
            "slash",
            "filter",
            "filter",
            tooltip="Show only runs that some terms mean",
            id="runs.filter",
        ),
        Binding(
            "C", "compare", "compare", tooltip="The marked runs side by side", id="runs.compare"
        ),
        Binding("o", "sort", "sort", tooltip="Sort by a column; oo by the next", id="runs.sort"),
        _quiet("v", "samples", "samples", "All samples of the run"),
        _quiet("p", "playground", "playground", PLAYGROUND),
        _quiet("O", "reverse", "reverse", "Turn the order around"),
        Binding("m", "mark", "mark", tooltip="Mark the run, or unmark it", id="runs.mark"),
        _quiet("M", "unmark_all", "unmark all", "Take all marks away"),
        _quiet("z", "group", "group", "Group by model, by data, as a tree of forks and sweeps"),
        _quiet("w", "columns", "columns", "Choose the columns"),
        _quiet("H", "archived", "show archived", "Show the archived runs too, or hide them"),
        Binding("d", "delete", "delete", tooltip="Delete the run from disk", id="runs.delete"),
        Binding(
            "escape",
            "clear_filter",
            "all runs",
            show=False,
            tooltip="Show all runs again",
            id="runs.all",
        ),
        Binding("q", "app.quit", "quit", tooltip="Leave; trainings go on", id="runs.quit"),
    ]

    def __init__(self, store: Store, feed: Feed) -> None:
        super().__init__(store, feed)
        self._shows_samples = False
        self.marked: set[str] = set()
        """Ids of the runs that the user has marked."""

    @property
    def _list(self) -> RunList:
        return self.query_one(RunList)

    @property
    def in_hand(self) -> list[Summary]:
        """The marked runs; where none is marked, the one under the cursor."""
        marked = [run for run in self._list.runs or [] if run.id in self.marked]
        return marked or ([self.chosen] if self.chosen is not None else [])

    @property
    def chosen(self) -> Summary | None:
        tables = self.query(RunTable)  # a key may come before there is any
        return tables.first().chosen if tables else None

    def compose(self) -> ComposeResult:
        with Horizontal(id="runs"):
            yield RunList(self.store, id="list")
            with Vertical(id="side"):
                yield MachinePanel(id="machine")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(AGES_SECONDS, self.query_one(RunTable).tick)

    def on_screen_resume(self) -> None:
        self.feed.list_to(self)
        if self._list.runs is not None:
            self.feed.machine_to(self)

    def on_screen_suspend(self) -> None:
        self.feed.machine_stop(self)

    def on_unmount(self) -> None:
        self.feed.machine_stop(self)
        self.feed.drop(self)

    @work(thread=True)
    def _load_rest(self) -> None:
        """Loads what the first paint can do without, numpy and Pillow, while keys are answered."""
        for name in ("genai_tui.charts.spark", "genai_tui.widgets.samples"):
            importlib.import_module(name)
        if self.is_attached:
            self.studio.call_from_thread(self._show_rest)

    async def _show_rest(self) -> None:
        """The machine, the courses of the losses, and the newest samples."""
        from genai_tui.charts.spark import sparkline
        from genai_tui.widgets.samples import Samples

        samples = Samples(id="samples", nothing="The newest samples of the run appear here.")
        await self.query_one("#side").mount(samples)
        self._shows_samples = True
        self.query_one(RunTable).draw_curves(sparkline)
        self._show_samples(self.chosen)
        if self.is_current:
            self.feed.machine_to(self)

    def on_feed_runs_read(self, event: Feed.RunsRead) -> None:
        first = self._list.runs is None
        self.marked &= {run.id for run in event.summaries}
        self._list.show(event.summaries)
        if first:
            self.call_after_refresh(self._load_rest)

    def show_alerts(self, alerts: "Mapping[str, Sequence[Alert]]") -> None:
        """What is wrong with each run, by its id; good news is no alarm."""
        counts = {run: sum(alert.wrong for alert in found) for run, found in alerts.items()}
        for table in self.query(RunTable):  # none while the studio ends
            table.warn(counts)

    def on_feed_machine_read(self, event: Feed.MachineRead) -> None:
        self.query_one(MachinePanel).show_sample(event.sample)

    def on_run_table_highlighted(self, event: RunTable.Highlighted) -> None:
        self._show_samples(event.run)
        self.refresh_bindings()

    def on_run_table_opened(self, event: RunTable.Opened) -> None:
        if event.run.state == "broken":
            self.say(f"{event.run.id} cannot be opened: {event.run.error}", severe=True)
        else:
            self.post_message(self.Opened(event.run.id))

    @property
    def idle_actions(self) -> frozenset[str]:
        return super().idle_actions | (set[str]() if self.marked else {"compare"})

    def point_to(self, run_id: str) -> None:
        """The cursor goes to a run as soon as it is listed."""
        self.query_one(RunTable).point_to(run_id)

    def action_mark(self) -> None:
        if self.chosen is None:
            return
        self.marked ^= {self.chosen.id}
        self._show_marks()
        self.query_one(RunTable).action_move(1)

    def action_unmark_all(self) -> None:
        self.marked.clear()
        self._show_marks()

    def action_compare(self) -> None:
        """Hands over the marked runs, hidden ones too: a mark outlives a filter."""
        ids = [run.id for run in self._list.runs or [] if run.id in self.marked]
        if len(ids) > 1:
            self.post_message(self.CompareWanted(ids))
        else:
            self.say("Mark two runs or more with m, then C shows them side by side.")

    def _show_marks(self) -> None:
        self._list.mark(self.marked)
        self.refresh_bindings()

    def action_new(self) -> None:
        self.post_message(self.NewWanted())

    async def action_filter(self) -> None:
        await self._list.start_filter()

    async def action_clear_filter(self) -> None:
        await self._list.clear_filter()

    def action_sort(self) -> None:
        from genai_tui.screens.sort import SortDialog  # not needed for the first paint

        self.studio.push_screen(SortDialog(self._list.look), self._take_look)

    def action_reverse(self) -> None:
        self._list.dress(self._list.look.reversed())

    def action_group(self) -> None:
        self._list.dress(self._list.look.grouped_next())

    def action_archived(self) -> None:
        self._list.toggle_archived()

    def action_columns(self) -> None:
        from genai_tui.screens.columns import ColumnsDialog  # not needed for the first paint

        self.studio.push_screen(ColumnsDialog(self._list.look), self._take_look)

    def _take_look(self, look: Look | None) -> None:
        if look is not None:
            self._list.dress(look)

    def _show_samples(self, run: Summary | None) -> None:
        if not self._shows_samples:
            return
        from genai_tui.widgets.samples import Samples

        samples = self.query_one(Samples)
        if run is None or run.state == "broken":
            samples.show(self.store.root, "")
        else:
            samples.show(self.store.root / run.id, run.status.sample, _caption(run.status.sample))


def _caption(sample: str) -> str:
    """ "samples/step-000500" is "step 500"."""
    step = sample.rpartition("step-")[2]
    return f"step {int(step):,}" if step.isdecimal() else ""
