"""A question with a few answers, or with many that typing narrows down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from genai_tui.widgets.dialog import KEYS_OF_OPTIONS, Dialog
from genai_tui.widgets.field import content

MANY = 8
"""From so many answers on there is a line to type a part of one."""
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what is given back, its name, and what it means."""

    value: str
    name: str
    meaning: str = ""

    def holds(self, words: Sequence[str]) -> bool:
        text = f"{self.name} {self.meaning}".lower()
        return all(word in text for word in words)


class Choose(ModalScreen[str | None]):
    """Gives back the value of an answer, or None."""

    DEFAULT_CSS = """
    Choose {
        align: center middle;
        & .dialog { width: 76; padding: 1 1; }
        & Static { padding: 0 1; }
        & OptionList { height: auto; max-height: 16; background: $surface; padding: 0; }
        & OptionList, & OptionList:focus { border: none; }
        & Input { border: none; height: 1; background: $boost; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", tooltip="Leave it", id="dialog.cancel"),
    ]

    def __init__(self, question: str, answers: Sequence[Answer]) -> None:
        super().__init__()
        self._question, self._answers = question, answers

    def compose(self) -> ComposeResult:
        with Dialog(KEYS_OF_OPTIONS):
            yield Static(content(self._question), markup=False)
            if len(self._answers) >= MANY:
                yield Input(placeholder="type a part of it")
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        self._list([])
        fields = self.query(Input)
        (fields.first() if fields else self.query_one(OptionList)).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._list(event.value.lower().split())

    def on_input_submitted(self) -> None:
        self.query_one(OptionList).action_select()

    def on_key(self, event: events.Key) -> None:
        """Up and down choose while a part is typed; where nothing is, a letter does."""
        options = self.query_one(OptionList)
        if options.has_focus and event.character and event.character.isalnum():
            self._point_to(event.character)
            event.stop()
        moves = {"up": options.action_cursor_up, "down": options.action_cursor_down}
        if event.key in moves and not options.has_focus:
            moves[event.key]()
            event.stop()

    def _point_to(self, letter: str) -> None:
        """Moves on to the next answer that begins with a letter."""
        options = self.query_one(OptionList)
        at = -1 if options.highlighted is None else options.highlighted
        names = [answer.name.lower() for answer in self._answers]
        for place in (*range(at + 1, len(names)), *range(at + 1)):
            if names[place].startswith(letter.lower()):
                options.highlighted = place
                return

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def _list(self, words: Sequence[str]) -> None:
        shown = [answer for answer in self._answers if answer.holds(words)][:MOST_SHOWN]
        width = max((len(answer.name) for answer in shown), default=0) + 2
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_line(answer, width), answer.value) for answer in shown])
        options.highlighted = 0 if shown else None


def _line(answer: Answer, width: int) -> Content:
    return content((f"{answer.name:<{width}}", "bold"), (answer.meaning, "$text-muted"))
