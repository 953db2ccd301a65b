"""The line in which it is typed which runs are shown, with what is wrong in it beside it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from genai_tui.widgets.field import Field

EXAMPLE = (
    "words, model:gan, state:running, tag:night, loss<0.3, step>1k, created<2d, lr>1e-3, -not, or"
)


class RunFilter(Horizontal):
    """Posts the changes of its input, as Input.Changed and Input.Submitted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "down", "app.focus('table')", "to the list", tooltip="Keep the filter", id="filter.list"
        ),
        Binding(
            "escape",
            "screen.clear_filter",
            "all runs",
            tooltip="Show all runs again",
            id="filter.all",
        ),
    ]
    DEFAULT_CSS = """
    RunFilter {
        height: 1;
        & Input { width: 1fr; }
        & Field {
            width: auto;
            max-width: 70%;
            padding: 0 1;
            color: $text-warning;
            text-overflow: ellipsis;
            text-wrap: nowrap;
        }
    }
    """

    def compose(self) -> ComposeResult:
        yield Input(placeholder=EXAMPLE, compact=True)
        yield Field()

    def take_focus(self) -> None:
        self.screen.set_focus(self.query_one(Input))

    def tell(self, problem: str) -> None:
        """Says what is wrong, or nothing."""
        self.query_one(Field).show(problem, layout=True)
