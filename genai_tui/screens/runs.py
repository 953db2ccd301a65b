"""The list of all runs, with the machine and the newest samples of the chosen run beside it."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from genai_tui.feed import Feed
from genai_tui.screens.commanding import Commanding
from genai_tui.store import LIVE, Store, Summary
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.machine import MachinePanel
from genai_tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from textual.widgets import Input

AGES_SECONDS = 20.0


class RunsScreen(Commanding):
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

        def __init__(self, run_ids: list[str]) -> None:
            super().__init__()
            self.run_ids = run_ids

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new run", tooltip="Pick a generator and train it", id="runs.new"),
        Binding("d", "delete", "delete", tooltip="Delete the run from disk", id="runs.delete"),
        Binding(
            "slash",
            "filter",
            "filter",
            tooltip="Show only runs that contain a text",
            id="runs.filter",
        ),
        Binding("m", "mark", "mark", tooltip="Mark the run, or unmark it", id="runs.mark"),
        Binding(
            "M",
            "unmark_all",
            "unmark all",
            show=False,
            tooltip="Take all marks away",
            id="runs.unmark",
        ),
        Binding(
            "C", "compare", "compare", tooltip="The marked runs side by side", id="runs.compare"
        ),
        Binding("escape", "clear_filter", "all runs", show=False, tooltip="Show all runs again"),
        Binding("q", "app.quit", "quit", tooltip="Leave; trainings go on", id="runs.quit"),
    ]

    def __init__(self, store: Store, feed: Feed) -> None:
        super().__init__(store, feed)
        self._runs: list[Summary] | None = None
        self._shows_samples = False
        self._filter = ""
        self.marked: set[str] = set()
        """Ids of the runs that the user has marked."""

    @property
    def chosen(self) -> Summary | None:
        tables = self.query(RunTable)  # a key may come before there is any
        return tables.first().chosen if tables else None

    def compose(self) -> ComposeResult:
        with Horizontal(id="runs"):
            with Vertical(id="list"):
                yield RunTable(id="table")
                yield Field(id="empty")
            with Vertical(id="side"):
                yield MachinePanel(id="machine")
        yield KeyBar()

    def on_mount(self) -> None:
        table = self.query_one(RunTable)
        entitle(table, "runs")
        table.focus()
        self.query_one("#empty").display = False
        self.set_interval(AGES_SECONDS, table.tick)

    def on_screen_resume(self) -> None:
        self.feed.list_to(self)
        if self._runs is not None:
            self.feed.machine_to(self)

    def on_screen_suspend(self) -> None:
        self.feed.machine_stop()

    def on_unmount(self) -> None:
        self.feed.machine_stop()
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
        first, self._runs = self._runs is None, event.summaries
        self.marked &= {run.id for run in event.summaries}
        self._show_runs()
        if first:
            self.call_after_refresh(self._load_rest)

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

    def on_input_changed(self, event: "Input.Changed") -> None:
        self._filter = event.value
        self._show_runs()

    def on_input_submitted(self) -> None:
        self.query_one(RunTable).focus()

    @property
    def idle_actions(self) -> frozenset[str]:
        return super().idle_actions | (set[str]() if self.marked else {"compare"})

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
        ids = [run.id for run in self._runs or [] if run.id in self.marked]
        if len(ids) > 1:
            self.post_message(self.CompareWanted(ids))
        else:
            self.say("Mark two runs or more with m, then C shows them side by side.")

    def _show_marks(self) -> None:
        self.query_one(RunTable).mark(self.marked)
        self.refresh_bindings()
        self._entitle()

    def action_new(self) -> None:
        self.post_message(self.NewWanted())

    async def action_filter(self) -> None:
        from genai_tui.widgets.run_filter import RunFilter

        if not self.query(RunFilter):
            await self.query_one("#list").mount(RunFilter())
        self.query_one(RunFilter).focus()

    async def action_clear_filter(self) -> None:
        self._filter = ""
        await self.query("RunFilter").remove()
        self._show_runs()
        self.query_one(RunTable).focus()

    def _show_runs(self) -> None:
        if self._runs is None:
            return
        wanted = self._filter.lower().split()
        shown = [run for run in self._runs if _holds(run, wanted)]
        table = self.query_one(RunTable)
        table.show(shown)
        table.display = bool(shown)
        self._entitle()
        empty = self.query_one("#empty", Field)
        empty.display = not shown
        if not shown:
            self._show_nothing(empty)
        elif self.focused is None:
            table.focus()

    def _entitle(self) -> None:
        table = self.query_one(RunTable)
        entitle(table, "runs", _counted(self._runs or [], table.runs, len(self.marked)))

    def _show_nothing(self, empty: Field) -> None:
        if self._runs:
            empty.show("No run contains that.\n\n", ("esc", "bold"), "  shows all runs")
            return
        empty.show(
            ("No runs yet.\n\n", "bold"),
            ("n", "bold $text-primary"),
            "  picks a generator and trains it\n",
            ("?", "bold $text-primary"),
            "  lists every key\n\n",
            "or, from a shell:  ",
            ("genai-tui demo", "$text-primary"),
        )

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


def _holds(run: Summary, words: list[str]) -> bool:
    text = f"{run.name} {run.model} {run.dataset} {run.state} {run.id}".lower()
    return all(word in text for word in words)


def _counted(runs: Sequence[Summary], shown: Sequence[Summary], marked: int) -> str:
    live = sum(run.state in LIVE for run in runs)
    parts = [
        f"{len(shown)} of {len(runs)}" if len(shown) < len(runs) else f"{len(runs)}",
        f"{live} training" if live else "",
        f"{marked} marked" if marked else "",
    ]
    return " · ".join(part for part in parts if part)
