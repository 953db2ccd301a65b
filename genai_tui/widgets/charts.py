"""All curves of a run: how they are looked at, which of them, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from genai_tui import arrangement
from genai_tui.arrangement import Arrangement
from genai_tui.charts.line import Mark
from genai_tui.exports.curves import Curve, export
from genai_tui.exports.files import ExportError
from genai_tui.groups import Group, spread_groups
from genai_tui.history import History, Instant
from genai_tui.likeness import Ascii
from genai_tui.settings import Settings, exports_dir
from genai_tui.spreads import columns_of
from genai_tui.widgets.chart_bar import ChartBar, ChartSearch, instant_part, marks_parts
from genai_tui.widgets.chart_grid import ChartGrid
from genai_tui.widgets.chart_panel import Chart, ChartPanel, HeatChart
from genai_tui.widgets.field import Part, entitle
from genai_tui.widgets.lens import Lens
from genai_tui.widgets.shelf import Shelf
from genai_tui.widgets.x_axis import UNITS

_PAN, _ZOOM, _TEN = 0.25, 2.0, 10


class Preferring(Protocol):
    """What this needs of the App."""

    settings: Settings


def _key(keys: str, action: str, id: str, what: str, tooltip: str) -> Binding:
    return Binding(keys, action, what, show=False, tooltip=tooltip, id=f"charts.{id}")


class Charts(Vertical):
    """Draws a history; asks it for groups, so that a new scalar gets its chart by itself."""

    class Moved(Message):
        """Another instant is read; None is now."""

        def __init__(self, step: float | None) -> None:
            super().__init__()
            self.step = step

    class Recalled(Message):
        """How the charts of a model were left."""

        def __init__(self, model: str, arrangement: Arrangement) -> None:
            super().__init__()
            self.model, self.arrangement = model, arrangement

    class Told(Message):
        """A file was written, or could not be; the sentence says which."""

        def __init__(self, sentence: str, *, severe: bool = False) -> None:
            super().__init__()
            self.sentence, self.severe = sentence, severe

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("left", "read(-1)", "left", "earlier", "Read all charts at an earlier step"),
        _key("right", "read(1)", "right", "later", "Read all charts at a later step"),
        _key("ctrl+left", f"read(-{_TEN})", "far_left", "much earlier", "Ten columns earlier"),
        _key("ctrl+right", f"read({_TEN})", "far_right", "much later", "Ten columns later"),
        _key("end", "newest", "newest", "newest", "Back to now, and follow the newest point"),
        _key("i", "zoom(-1)", "zoom_in", "zoom in", "Zoom in, around the cursor"),
        _key("I", "zoom(1)", "zoom_out", "zoom out", "Zoom out"),
        _key("shift+left", "pan(-1)", "pan_left", "pan left", "Move the part in sight to the left"),
        _key("shift+right", "pan(1)", "pan_right", "pan right", "Move it to the right"),
        _key("home", "fit", "fit", "all", "All steps in sight"),
        _key("X", "axis", "axis", "x axis", "x as step, epoch, time since the start, clock"),
        _key("slash", "search", "search", "search charts", "Search charts by a regular expression"),
        _key("L", "fold", "fold", "legend", "Unfold the legend of the chart, or fold it"),
        _key("E", "export", "export", "export", "Write the curves of the chart into a CSV file"),
        _key("P", "pin", "pin", "pin", "Pin the chart before the others, or let it go"),
        _key("h", "hide", "hide", "hide", "Hide the chart, or show it again"),
        _key("H", "hidden", "hidden", "show hidden", "Show hidden charts as well, or no longer"),
        _key("less_than_sign", "move(-1)", "before", "move before", "Move the chart forward"),
        _key("greater_than_sign", "move(1)", "behind", "move behind", "Move the chart back"),
        _key("down,j", "near(1)", "below", "chart below", "To the chart below"),
        _key("up,k", "near(-1)", "above", "chart above", "To the chart above"),
        _key("pagedown", "turn(1)", "page_down", "next page", "The next page of charts"),
        _key("pageup", "turn(-1)", "page_up", "page before", "The page of charts before"),
    ]

    def __init__(self, smoothing: float, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lens = Lens(smoothing)
        self._usual = smoothing
        self._history = History()
        self.shelf = Shelf()
        self._run = ""

    def compose(self) -> ComposeResult:
        yield ChartBar()
        yield ChartSearch()
        yield ChartGrid(self._draw, self._make)

    def on_mount(self) -> None:
        self.border_title = "charts"  # for the help; there is no border
        self.query_one(ChartSearch).display = False

    @property
    def grid(self) -> ChartGrid:
        return self.query_one(ChartGrid)

    # ------------------------------------------------------------------ what is drawn

    def of_run(self, name: str, model: str) -> None:
        """Takes the run's name, and arranges the charts as they were left for its model."""
        self._run = name
        if model and model != self.shelf.model:
            self.shelf.model = model
            self._recall(model)

    def follow(self, history: History) -> None:
        """Brings all charts up to date with a history."""
        self._history = history
        self.lens.follow(history)
        self.shelf.fill([*history.groups(), *spread_groups(history.spreads)])
        self._arrange()
        self._redraw()

    def warn(self, alerts: Sequence[Mark]) -> None:
        """Marks where something is wrong, by the step."""
        if alerts != self.lens.alerts:
            self.lens.alerts = alerts
            self._redraw()

    def read_at(self, instant: Instant | None) -> None:
        """Reads all charts at a moment; None is now."""
        window = self.lens.window
        self.lens.read_at(instant)
        if self.lens.window != window:
            self._redraw()
            return
        for chart in self.grid.shown:
            chart.cursor = self.lens.cursor
        self._say()

    def _redraw(self) -> None:
        self.grid.redraw()
        self._say()

    def _make(self, name: str) -> ChartPanel:
        """A new chart of a group."""
        group = self.shelf.groups[name]
        chart = HeatChart(name) if group.spread else Chart(name)
        self._dress(chart)
        return chart

    def _dress(self, chart: ChartPanel) -> None:
        """As the user left it; what is as before costs nothing."""
        left, name = self.shelf.arrangement, chart.group
        chart.log_y, chart.unfolded = name in left.log, name in left.unfolded
        chart.set_class(name in left.hidden, "-hidden")
        pinned = " · pinned" if name in left.pinned else ""
        hidden = " · hidden" if name in left.hidden else ""
        title = name.replace("_per_second", "/s")
        entitle(chart, title + pinned + hidden, "log" if chart.log_y else "")

    def _draw(self, chart: ChartPanel) -> None:
        group = self.shelf.groups.get(chart.group)
        if group is None:
            return
        lens = self.lens
        chart.x_range, chart.x_unit = lens.sight, UNITS[lens.axis.kind]
        chart.cursor = lens.cursor
        if isinstance(chart, HeatChart):
            filters = cast(App[object], self.app).get_line_filters()
            chart.coarse = any(isinstance(each, Ascii) for each in filters)
            chart.show(lens.slices(group.spread), lens.marks())
        elif isinstance(chart, Chart):
            chart.show(lens.series(group), lens.marks())

    def _say(self) -> None:
        """The bar: what is read, then how; what is as usual is not mentioned."""
        lens, shelf, grid = self.lens, self.shelf, self.grid
        words = [] if lens.axis.kind == "step" else [f"x {lens.axis.kind}"]
        if lens.window is not None:
            words.append("zoomed, following" if lens.follows else "zoomed")
        weight = lens.smoothing.weight
        words.append(f"smoothing {weight:g}" if weight else "not smoothed")
        if shelf.pattern.pattern:
            words.append(f"/{shelf.pattern.pattern} {len(shelf.names)} of {len(shelf.groups)}")
        if shelf.hidden:
            words.append(f"{shelf.hidden} hidden")
        if grid.pages > 1:
            words.append(f"page {grid.page + 1} of {grid.pages}")
        parts: list[Part] = [instant_part(lens.instant, self._history.begun)]
        parts.append((" · " + " · ".join(words), "$text-muted"))
        self.query_one(ChartBar).show(*parts, *marks_parts(lens.marks()))

    def on_chart_grid_turned(self, event: ChartGrid.Turned) -> None:
        event.stop()
        self._say()

    # ------------------------------------------------------------------ which instant

    def action_read(self, dots: int) -> None:
        chart = self.grid.chosen
        if chart is not None and chart.dot is not None:
            self.post_message(self.Moved(self.lens.step_from(dots, chart.dot)))

    def action_newest(self) -> None:
        self.lens.newest()
        self._redraw()
        self.post_message(self.Moved(None))

    def on_chart_panel_pointed(self, event: ChartPanel.Pointed) -> None:
        event.stop()
        self.post_message(self.Moved(self.lens.step_at(event.x)))

    # ------------------------------------------------------------------ which part

    def action_zoom(self, direction: int) -> None:
        self.lens.zoom(_ZOOM**direction)
        self._redraw()

    def action_pan(self, direction: int) -> None:
        self.lens.pan(direction * _PAN)
        self._redraw()

    def on_chart_panel_rolled(self, event: ChartPanel.Rolled) -> None:
        event.stop()
        if event.share:
            self.lens.pan(event.share)
        else:
            self.lens.zoom(event.factor, event.x)
        self._redraw()

    def action_fit(self) -> None:
        self.lens.fit()
        self._redraw()

    def action_axis(self) -> None:
        self.lens.turn_axis()
        self._redraw()

    def smooth(self, direction: int) -> None:
        """The next stronger or weaker smoothing."""
        self.lens.smoothing.turn(direction)
        self._change(self.shelf.arrangement.smooth(self.lens.smoothing.weight))

    def smooth_by(self, weight: float) -> None:
        """Smooths with the weight of the settings, from 0 to 0.99."""
        self._usual = weight
        self._change(self.shelf.arrangement.smooth(None))

    def toggle_log(self) -> None:
        """A logarithmic y axis for the focused chart, or for all."""
        chosen = self.grid.chosen
        names = [chosen.group] if chosen is not None else list(self.shelf.groups)
        self._change(self.shelf.arrangement.scale(*names))

    def action_fold(self) -> None:
        self._rearrange(self.shelf.arrangement.unfold)

    def action_export(self) -> None:
        chosen = self.grid.chosen
        group = self.shelf.groups.get(chosen.group) if chosen else None
        if group is None:
            return
        times, curves = self._history.times, self.curves(group)
        out = exports_dir(cast(Preferring, self.app).settings)
        thinned = self.is_thinned and not group.spread
        self._export(curves, (times.steps, times.values), group.name, out, thinned=thinned)

    @property
    def is_thinned(self) -> bool:
        """Whether there are points on record that are not drawn."""
        return self._history.is_thinned

    def curves(self, group: Group) -> dict[str, Curve]:
        """The lines of a chart by their names in a table; of histograms, their columns."""
        if group.spread:
            return columns_of(self._history.spreads[group.spread].kept)
        tracks = {key: self._history.track(key) for key in group.keys}
        return {key: (track.steps, track.values) for key, track in tracks.items()}

    @work(thread=True, group="exports")
    def _export(
        self, curves: Mapping[str, Curve], times: Curve, name: str, out: Path, *, thinned: bool
    ) -> None:
        try:
            path = export(curves, times, self._run, name, out)
        except ExportError as error:
            self.post_message(self.Told(f"Not exported: {error}", severe=True))
        else:
            rest = "; older points are thinned out, records.jsonl has them all" if thinned else ""
            self.post_message(self.Told(f"Exported {path}{rest}"))

    # ------------------------------------------------------------------ which charts

    def action_near(self, rows: int) -> None:
        self.grid.focus_near(rows)

    def action_turn(self, by: int) -> None:
        self.grid.turn(by)

    def action_pin(self) -> None:
        self._rearrange(self.shelf.arrangement.pin)

    def action_hide(self) -> None:
        self._rearrange(self.shelf.arrangement.hide)

    def action_move(self, by: int) -> None:
        self._rearrange(lambda name: self.shelf.move(name, by))

    def action_hidden(self) -> None:
        self.shelf.shows_hidden = not self.shelf.shows_hidden
        self._arrange()

    def action_search(self) -> None:
        search = self.query_one(ChartSearch)
        search.display, self.query_one(ChartBar).display = True, False
        search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Searches as it is typed; what is no expression yet leaves the last one."""
        event.stop()
        found = self.shelf.search(event.value)
        event.input.set_class(not found, "-invalid")
        self._arrange()
        self._say()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._end_search()

    def on_chart_search_left(self, event: ChartSearch.Left) -> None:
        event.stop()
        self.query_one(ChartSearch).value = ""
        self._end_search()

    def _end_search(self) -> None:
        self.query_one(ChartSearch).display, self.query_one(ChartBar).display = False, True
        if self.shelf.names:
            self.grid.focus_on(self.shelf.names[0])
        else:
            self.grid.focus()

    def _arrange(self) -> None:
        self.grid.put(self.shelf.names)

    def _rearrange(self, change: Callable[[str], Arrangement]) -> None:
        """Changes the place of the focused chart, and remembers it."""
        chosen = self.grid.chosen
        if chosen is None:
            return
        self._change(change(chosen.group))

    def _change(self, changed: Arrangement) -> None:
        """Arranges the charts anew, and remembers it."""
        if changed != self.shelf.arrangement:
            self._use(changed)
            self._remember()

    def _use(self, changed: Arrangement) -> None:
        self.shelf.arrangement = changed
        weight = self._usual if changed.smoothing is None else changed.smoothing
        if weight != self.lens.smoothing.weight:
            self.lens.smoothing.change(weight)
            self.grid.redraw()
        for chart in self.query(ChartPanel):
            self._dress(chart)
        self._arrange()
        self._say()

    @work(thread=True, group="arrangement")
    def _recall(self, model: str) -> None:
        self.post_message(self.Recalled(model, arrangement.load(model)))

    def on_charts_recalled(self, event: Recalled) -> None:
        event.stop()
        untouched = self.shelf.arrangement == Arrangement()
        if event.model == self.shelf.model and untouched:
            self._use(event.arrangement)

    @work(thread=True, group="arrangement")
    def _remember(self) -> None:
        try:
            self.shelf.remember()
        except OSError as error:
            sentence = f"The arrangement is not remembered: {error}"
            self.post_message(self.Told(sentence, severe=True))
