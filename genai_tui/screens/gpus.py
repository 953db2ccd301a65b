"""The machine: every GPU with its last ten minutes, the host, and what runs on them."""

import time
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from genai_tui import processes, signalling
from genai_tui.feed import Feed
from genai_tui.past import past
from genai_tui.processes import ORDERS, Owners, Row
from genai_tui.screens.commanding import Commanding
from genai_tui.store import RunError, Store, Summary
from genai_tui.telemetry.record import Gpu, Host, Process, Snapshot, Telemetry
from genai_tui.widgets.device_table import DeviceTable
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.heights import divided
from genai_tui.widgets.host_panel import HostPanel
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.machine import gpu_name
from genai_tui.widgets.process_table import ProcessFilter, ProcessTable
from genai_tui.widgets.trace_grid import TraceGrid
from genai_tui.widgets.traces import MINUTES, Traces

EVERY_SECONDS, SPARING_SECONDS = 1.0, 5.0
"""Between two readings; the second where the line is slow."""
SILENT_SECONDS = 5.0
"""After so long without a reading the page says so."""
_OF_TABLES = frozenset(
    {"filter", "open", "signal", "sort", "tree", "everything", "pause", "stop", "resume"}
)


class GpusScreen(Commanding):
    """Holds what is known of the machine; its widgets are told what to draw."""

    class Opened(Message):
        """The user wants to watch a run."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    CSS_PATH = "gpus.tcss"
    AUTO_FOCUS = "ProcessTable"
    ALLOW_IN_MAXIMIZED_VIEW = "KeyBar"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash", "filter", "filter", tooltip="Only processes with a text", id="gpus.filter"
        ),
        Binding(
            "left",
            "device(-1)",
            "GPU before",
            show=False,
            tooltip="Graphs of the GPU before",
            id="move.left",
        ),
        Binding(
            "right",
            "device(1)",
            "next GPU",
            show=False,
            tooltip="Graphs of the next GPU",
            id="move.right",
        ),
        Binding("f", "maximise", "graphs", tooltip="The graphs alone, or all", id="gpus.f"),
        Binding("q,escape", "close", "back", tooltip="Back to what was before", id="gpus.q"),
    ]

    def __init__(self, store: Store, feed: Feed, *, sparing: bool = False) -> None:
        super().__init__(store, feed)
        self._every = SPARING_SECONDS if sparing else EVERY_SECONDS
        self._traces = Traces()
        self._snapshot: Snapshot | None = None
        self._gpus: list[Gpu] = []
        self._processes: list[Process] | None = None
        self._owners: Owners = {}
        self._heard = time.monotonic()
        self._watches = False
        self._early: list[Telemetry] | None = []  # what came before the past was read

    @property
    def chosen(self) -> Summary | None:
        """The run that the process under the cursor works for."""
        tables = self.query(ProcessTable)  # a key may come before there is any
        row = tables.first().chosen if tables else None
        return row.owner.run if row and row.owner else None

    @property
    def idle_actions(self) -> frozenset[str]:
        """Graphs alone take no keys but those that leave them."""
        idle = super().idle_actions
        return idle | _OF_TABLES if self.maximized is not None else idle

    def compose(self) -> ComposeResult:
        yield Field(id="silent")
        yield Field(id="no-gpu")
        yield DeviceTable(self._traces, id="devices")
        yield HostPanel(self._traces, id="host")
        yield TraceGrid(self._traces, id="graphs")
        yield ProcessTable(id="processes")
        yield ProcessFilter()
        yield KeyBar()

    def on_mount(self) -> None:
        for hidden in ("#silent", "#devices", "ProcessFilter"):
            self.query_one(hidden).display = False
        self.query_one("#no-gpu", Field).show(("asking the driver …", "$text-muted"))
        self.on_process_table_looked()
        self.query_one(TraceGrid).show(None, "", Host())
        self.set_interval(SILENT_SECONDS, self._listen)
        self._backfill()

    def on_screen_resume(self) -> None:
        if not self._watches:
            self._watches = True
            self.feed.list_to(self)
            self.feed.machine_to(self, self._every, processes=True)
            self._heard = time.monotonic()

    def on_screen_suspend(self) -> None:
        """Behind a question the page goes on; behind another page it rests."""
        if not self.studio.screen.is_modal:
            self._rest()

    def on_unmount(self) -> None:
        self._rest()

    def _rest(self) -> None:
        self._watches = False
        self.feed.machine_stop(self)
        self.feed.drop(self)

    # ------------------------------------------------------------------ what is read

    @work(thread=True)
    def _backfill(self) -> None:
        before = past(self.store, 60 * MINUTES)
        if self.is_attached:
            self.studio.call_from_thread(self._remember, before)

    def _remember(self, past: list[Telemetry]) -> None:
        """Traces take samples oldest first: the past, and then what came while it was read."""
        early, self._early = self._early or [], None
        if past:
            self._traces.refold([*past, *early])
            self._show()

    def on_feed_runs_read(self, event: Feed.RunsRead) -> None:
        self._owners = processes.owners_of(event.summaries)
        self._show_processes()

    def on_feed_machine_read(self, event: Feed.MachineRead) -> None:
        snapshot = event.sample
        self._heard = time.monotonic()
        self._traces.fold([snapshot])
        if self._early is not None:
            self._early.append(snapshot)
        self._snapshot, self._gpus = snapshot, snapshot.gpus
        is_new = snapshot.processes is not None
        self._processes = snapshot.processes if is_new else self._processes
        self._show()
        if is_new:
            self._show_processes()

    def _listen(self) -> None:
        silence = time.monotonic() - self._heard
        field = self.query_one("#silent", Field)
        field.display = silence > SILENT_SECONDS + self._every
        field.show(f"no reading for {silence:.0f} s: what stands below is old")

    # ------------------------------------------------------------------ what is drawn

    def _show(self) -> None:
        if self._snapshot is None:
            return
        devices, none = self.query_one(DeviceTable), self.query_one("#no-gpu", Field)
        devices.display, none.display = bool(self._gpus), not self._gpus
        none.show((self._snapshot.no_gpu, "bold"))
        entitle(devices, _counted(self._gpus))
        devices.show(self._gpus)
        self.query_one(HostPanel).show_sample(self._snapshot)
        self._show_graphs()
        self._arrange()

    def _show_graphs(self) -> None:
        gpu = self.query_one(DeviceTable).chosen if self._gpus else None
        host = self._snapshot.host if self._snapshot else Host()
        self.query_one(TraceGrid).show(gpu, gpu_name(gpu) if gpu else "", host)

    def _show_processes(self) -> None:
        if self._processes is None or self._snapshot is None:
            return
        found = processes.rows(self._processes, self._gpus, self._snapshot.strangers, self._owners)
        self.query_one(ProcessTable).show(found, has_gpus=bool(self._gpus))

    def _arrange(self) -> None:
        """Devices and processes first; graphs where there is height for them."""
        if self.maximized is not None:
            return
        devices, graphs = self.query_one(DeviceTable), self.query_one(TraceGrid)
        rows = graphs.rows_for(self.size.width - 4)
        heights = divided(self.size.height, len(self._gpus), rows)
        devices.styles.height, graphs.styles.height = heights
        graphs.display = heights.graphs > 0

    def on_resize(self) -> None:
        self._arrange()

    # ------------------------------------------------------------------ what keys do

    def on_device_table_highlighted(self) -> None:
        self._show_graphs()

    def on_device_table_opened(self) -> None:
        self.action_maximise()

    def on_process_table_highlighted(self) -> None:
        self.refresh_bindings()

    def on_process_table_looked(self) -> None:
        view = self.query_one(ProcessTable).view
        order = "ours, then by GPU" if view.order == ORDERS[0] else f"by {view.order}"
        words = f" with {view.words!r}" if view.words else ""
        entitle(self.query_one(ProcessTable), f"processes{words}", order)

    def on_process_table_opened(self, event: ProcessTable.Opened) -> None:
        row = event.row
        if row.owner is not None:
            self.post_message(self.Opened(row.owner.run.id))
        else:
            self.say(f"Process {row.pid} belongs to no run of {self.store.root}.")

    def on_process_table_signal_wanted(self, event: ProcessTable.SignalWanted) -> None:
        from genai_tui.screens.signal_dialog import SignalDialog

        refused = signalling.refusal(event.row)
        if refused:
            self.say(refused, severe=True)
        else:
            self.studio.push_screen(SignalDialog(event.row), partial(self._signal, event.row))

    def _signal(self, row: Row, answer: str | None) -> None:
        from genai_tui.screens.signal_dialog import STOP

        if answer == STOP:
            self._stop(row)
        elif answer is not None:
            self.say(signalling.send(row, answer))

    def _stop(self, row: Row) -> None:
        if row.owner is None:
            return
        try:
            self._run(row.owner.run).command("stop")
        except (RunError, OSError) as error:
            self.say(str(error), severe=True)
        else:
            self.say(f"{row.owner.run.name} stops after this step, with a checkpoint.")

    def action_filter(self) -> None:
        self.query_one(ProcessFilter).take_focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        table = self.query_one(ProcessTable)
        table.look(replace(table.view, words=event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.query_one(ProcessTable).focus()
        self.query_one(ProcessFilter).display = bool(event.value)

    def action_device(self, by: int) -> None:
        self.query_one(DeviceTable).action_move(by)

    def action_maximise(self) -> None:
        if self.maximized is not None:
            self.minimize()
            self._arrange()
        else:
            graphs = self.query_one(TraceGrid)
            graphs.display = True
            graphs.styles.height = "1fr"
            self.maximize(graphs, container=False)

    def action_close(self) -> None:
        if self.maximized is not None:
            self.action_maximise()
        elif self.query_one(ProcessTable).view.words:
            self.query_one(ProcessFilter).action_leave()
        else:
            self.dismiss()


def _counted(gpus: list[Gpu]) -> str:
    cards = sum(not gpu.parent for gpu in gpus)
    instances = len(gpus) - cards
    return f"{cards} GPU{'s' * (cards != 1)}" + (f" · {instances} MIG" if instances else "")
