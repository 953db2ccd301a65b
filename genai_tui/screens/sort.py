"""The question by what the list of runs is sorted: a letter a column."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from genai_tui.widgets.run_look import Look

_MEANINGS = {
    "age": "newest first",
    "state": "what trains first",
    "name": "a to z",
    "model": "a to z",
    "data": "a to z",
    "step": "most steps first",
    "eta": "soonest done first",
    "rate": "fastest first",
    "loss": "least first",
    "tags": "a to z; those without last",
}


class SortDialog(ModalScreen[Look | None]):
    """Gives back the look with another order. The key that opened it goes on to the next column."""

    DEFAULT_CSS = """
    SortDialog {
        align: center middle;
        & .dialog { width: 50; }
        & OptionList { height: auto; max-height: 14; background: $surface; padding: 0; }
        & OptionList, & OptionList:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "next", "next column", tooltip="Sort by the next column", id="sort.next"),
        Binding("O", "reverse", "reverse", tooltip="Turn the order around", id="sort.reverse"),
        Binding("escape,q", "dismiss(None)", "cancel", tooltip="Leave it", id="sort.cancel"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._letters = letters(look.sorts())

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Sort by: a letter, or o for the next, O backwards", markup=False)
            yield OptionList(*map(self._line, self._letters.items()), markup=False)

    def on_mount(self) -> None:
        names = list(self._letters.values())
        self.query_one(OptionList).highlighted = (
            names.index(self._look.sort) if self._look.sort in names else 0
        )

    def _line(self, pair: tuple[str, str]) -> Option:
        letter, name = pair
        text = Content.assemble(
            (f"{letter}  ", "bold $text-primary"),
            f"{name:<8}",
            (_MEANINGS.get(name, ""), "$text-muted"),
        )
        return Option(text, name)

    def on_key(self, event: events.Key) -> None:
        if event.character in self._letters:
            event.stop()
            self.dismiss(self._look.sorted_by(self._letters[event.character]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._look.sorted_by(event.option.id or self._look.sort))

    def action_next(self) -> None:
        self.dismiss(self._look.sorted_next())

    def action_reverse(self) -> None:
        self.dismiss(self._look.reversed())


def letters(names: list[str]) -> dict[str, str]:
    """Names by the first of their letters that no name before them has; none is the o."""
    found: dict[str, str] = {}
    for name in names:
        free = (letter for letter in name if letter not in found and letter not in "oq")
        letter = next(free, None)
        if letter is not None:
            found[letter] = name
    return found
