"""The list of runs with its filter: which runs are shown, in which order, under which headings."""

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, cast

from textual import work
from textual.app import App, ComposeResult
from textual.containers import Vertical

from genai_tui.run_knobs import Knobs
from genai_tui.store import TRAINING, Store, Summary
from genai_tui.widgets import run_look, run_order
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.run_look import Look
from genai_tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from textual.widgets import Input

    from genai_tui.run_query import Query
    from genai_tui.widgets.run_filter import RunFilter


class RunList(Vertical):
    """Holds all runs and shows those that the filter means; what it looks like is remembered."""

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.runs: list[Summary] | None = None
        self.look = run_look.load()
        self._query: Query | None = None  # what reads one is loaded when one is typed
        self._knobs = Knobs(store.root)
        self._shows_archived = False
        self._marked: frozenset[str] = frozenset()
        self._filter: RunFilter | None = None
        self._reading = False

    def compose(self) -> ComposeResult:
        yield RunTable(id="table")
        yield Field(id="empty")

    def on_mount(self) -> None:
        entitle(self.table, "runs")
        self.table.dress(self.look)
        self.table.focus()
        self._empty.display = False

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def _empty(self) -> Field:
        return self.query_one("#empty", Field)

    # ------------------------------------------------------------------ what it is told

    def show(self, runs: list[Summary]) -> None:
        """Shows these, as far as the filter means them."""
        self.runs = runs
        self._show()

    def mark(self, ids: Collection[str]) -> None:
        """Shows marks on these runs and on no other."""
        self._marked = frozenset(ids)
        self.table.mark(ids)
        self._entitle()

    def dress(self, look: Look) -> None:
        """Takes another order, other headings or columns, and remembers them."""
        self.look = look
        self.table.dress(look)
        self._show()
        self.table.reveal()
        self._remember(look)

    def toggle_archived(self) -> None:
        """Shows the archived runs too, or hides them again."""
        self._shows_archived = not self._shows_archived
        self._show()

    async def start_filter(self) -> None:
        """What is typed next says which runs are shown."""
        from genai_tui.widgets.run_filter import RunFilter  # not needed for the first paint

        if self._filter is None:
            self._filter = RunFilter()
            await self.mount(self._filter)
        self._filter.take_focus()

    async def clear_filter(self) -> None:
        """Shows all runs again."""
        self._query = None
        if self._filter is not None:
            await self._filter.remove()
            self._filter = None
        self._show()
        self.table.focus()

    def on_input_changed(self, event: "Input.Changed") -> None:
        from genai_tui import run_query

        event.stop()
        self._query = run_query.parse(event.value)
        self._show()

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        event.stop()
        self.table.focus()

    @work(thread=True, exclusive=True, group="look")
    def _remember(self, look: Look) -> None:
        try:
            run_look.save(look)
        except OSError as error:
            sentence = f"The order and the columns cannot be remembered: {error.strerror}"
            self.notify(sentence, severity="warning", markup=False)

    # ------------------------------------------------------------------ what is shown

    def _show(self) -> None:
        if self.runs is None:
            return
        shown = self._found(self.runs)
        if shown is None:
            return  # what is listed stays until it is known
        table = self.table
        in_order = run_order.ordered(shown, self.look.sort, self.look.backwards)
        table.show(run_order.rows(in_order, self.look.grouping))
        table.display = bool(shown)
        self._entitle()
        self._empty.display = not shown
        if not shown:
            self._show_nothing(self._empty)
        elif self.screen.focused is None:
            table.focus()

    def _found(self, runs: Sequence[Summary]) -> list[Summary] | None:
        """The runs that the filter means; None while the knobs are read that it is about."""
        listed = [run for run in runs if self._shows_archived or not run.archived]
        if self._query is None:
            return listed
        from genai_tui.run_terms import Facts  # not needed for the first paint

        if not self._knows_knobs(self._query, listed):
            return None
        query, facts = self._query, Facts(time.time(), self._knobs.value)
        return [run for run in listed if query.holds(run, facts)]

    def _knows_knobs(self, query: "Query", listed: Sequence[Summary]) -> bool:
        """Whether the knobs that the filter is about are known; else they are being read."""
        names, problem = query.knobs, next(iter(query.problems), "")
        ids = [run.id for run in listed] if names else []
        unread = self._knobs.unread(names, ids)
        unknown = [name for name in names if not self._knobs.is_known(name)]
        if unread:
            problem = problem or f"reading the knobs of {len(ids):,} runs …"
            self._read_knobs(names, ids)
        elif unknown:
            problem = problem or f"no run has a knob {unknown[0]}"
        if self._filter is not None:
            self._filter.tell(problem)
        return not unread

    def _read_knobs(self, names: frozenset[str], ids: list[str]) -> None:
        """One reading at a time: when it is done, the filter asks for what is then unknown."""
        if not self._reading:
            self._reading = True
            self._read_in_thread(names, ids)

    @work(thread=True, group="knobs")
    def _read_in_thread(self, names: frozenset[str], ids: list[str]) -> None:
        """Reads thousands of files while keys are answered; then the filter looks again."""
        self._knobs.read(names, ids)
        if self.is_attached:
            cast(App[object], self.app).call_from_thread(self._knobs_are_read)

    def _knobs_are_read(self) -> None:
        self._reading = False
        self._show()

    def _entitle(self) -> None:
        table, runs = self.table, self.runs or []
        hidden = 0 if self._shows_archived else sum(run.archived for run in runs)
        counted = _counted(len(runs), table.runs, len(self._marked), hidden)
        entitle(table, "runs", " · ".join(part for part in (counted, self.look.phrase) if part))

    def _show_nothing(self, empty: Field) -> None:
        if self.runs and self._query is not None and self._query.either:
            empty.show("No run is meant by that.\n\n", ("esc", "bold"), "  shows all runs")
            return
        if self.runs:
            empty.show("All runs are archived.\n\n", ("H", "bold"), "  shows them")
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


def _counted(total: int, shown: Sequence[Summary], marked: int, hidden: int) -> str:
    training = sum(run.state in TRAINING for run in shown)
    queued = sum(run.state == "queued" for run in shown)
    parts = [
        f"{len(shown):,} of {total:,}" if len(shown) < total - hidden else f"{len(shown):,}",
        f"{hidden:,} archived" if hidden else "",
        f"{training} training" if training else "",
        f"{queued} queued" if queued else "",
        f"{marked} marked" if marked else "",
    ]
    return " · ".join(part for part in parts if part)
