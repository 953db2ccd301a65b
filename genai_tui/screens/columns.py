"""The question which columns the list of runs has."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from genai_tui.widgets.run_columns import COLUMNS, EVERY
from genai_tui.widgets.run_look import Look

_CAPTIONS = {
    "state": "state, and the place in the queue",
    "curve": "the course of the loss",
    "tags": "tags",
    "note": "note",
    "parent": "the run and step it began from",
    "checkpoint": "the step of the newest checkpoint",
    "host": "the machine it trains on",
    "age": "how long ago it was created",
}


class ColumnsDialog(ModalScreen[Look | None]):
    """Offers every column; where there is too little room the list leaves some out."""

    DEFAULT_CSS = """
    ColumnsDialog SelectionList {
        max-height: 60vh;
        border: none;
        & > .selection-list--button { color: $surface; background: $surface; }
        & > .selection-list--button-highlighted { color: $surface; background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "choose",
            "done",
            tooltip="Take these columns",
            priority=True,
            id="columns.done",
        ),
        Binding("u", "usual", "usual", tooltip="The usual columns", id="columns.usual"),
        Binding(
            "escape,w", "cancel", "cancel", tooltip="Leave them as they are", id="columns.cancel"
        ),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look

    def compose(self) -> ComposeResult:
        wanted = {column.name for column in self._look.wanted()}
        with Vertical(classes="dialog"):
            yield Static("Columns: space chooses, enter takes, u usual ones", markup=False)
            yield SelectionList[str](
                *(
                    Selection(_CAPTIONS.get(each.name, each.title), each.name, each.name in wanted)
                    for each in EVERY
                ),
                compact=True,
            )

    @property
    def _list(self) -> SelectionList[str]:
        return self.query_one(SelectionList[str])

    def action_choose(self) -> None:
        chosen = set(self._list.selected)
        names = tuple(column.name for column in EVERY if column.name in chosen)
        self.dismiss(self._look.with_columns(names) if names else None)

    def action_usual(self) -> None:
        self.dismiss(self._look.with_columns(tuple(column.name for column in COLUMNS)))

    def action_cancel(self) -> None:
        self.dismiss(None)
