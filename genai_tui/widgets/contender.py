"""One of several runs that are looked at side by side: what is known of it, and its looks."""

from collections.abc import Callable
from dataclasses import dataclass, field

from textual.message import Message

from backends.records import RunSpec
from genai_tui.alerts.watch import AlertWatch
from genai_tui.charts.palette import line_ink, series_colour
from genai_tui.history import History
from genai_tui.store import Run, Summary
from genai_tui.widgets.smoothed import Smoothing
from genai_tui.widgets.x_axis import XAxis


@dataclass(eq=False, slots=True)
class Contender:
    """A run among others. It is a target of the feed, and passes on what it is told with itself.

    `letter` names it where there is no room for more, `colour` is its place in the palette.
    """

    run: Run
    spec: RunSpec
    letter: str
    colour: int
    tell: Callable[["Contender", Message], bool]
    smoothing: Smoothing
    watch: AlertWatch
    axis: XAxis = field(default_factory=XAxis)
    history: History = field(default_factory=History)
    summary: Summary | None = None
    behind: bool = False
    """Whether its log is not read to its end."""

    @property
    def name(self) -> str:
        """What its user calls it."""
        return self.summary.name if self.summary is not None else self.spec.name

    def post_message(self, message: Message) -> bool:
        return self.tell(self, message)

    def ink(self, *, dark: bool) -> str:
        """Its colour as #RRGGBB."""
        return series_colour(line_ink(self.colour), dark=dark)[0]
