"""What the settings screen is made of: a line a setting or a key, and the words that find it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option, OptionDoesNotExist

from genai_tui.visible import visible
from genai_tui.widgets.paging import PAGES

_NAME_WIDTH, _VALUE_WIDTH = 20, 22


class Rows(OptionList, inherit_bindings=False):
    """The lines; what a key does to one is the screen's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "down,j", "cursor_down", "down", show=False, tooltip="The next line", id="move.down"
        ),
        Binding("up,k", "cursor_up", "up", show=False, tooltip="The line before", id="move.up"),
        *PAGES,
        Binding("home", "first", "first", show=False, tooltip="The first line", id="move.first"),
        Binding("end", "last", "last", show=False, tooltip="The last line", id="move.last"),
    ]

    @property
    def chosen(self) -> str:
        """The id of the line under the cursor; empty on none."""
        return (self.highlighted_option.id if self.highlighted_option else None) or ""

    def put(self, groups: Sequence[tuple[str, Sequence[Option]]]) -> None:
        """Shows these lines under their titles; the cursor stays on its line if it can."""
        before = self.chosen
        options: list[Option] = []
        for title, lines in groups:
            options += [_title(title)] if title and lines else []
            options += lines
        self.clear_options()
        self.add_options(options or [Option("nothing is about that; esc shows all", disabled=True)])
        ids = [option.id for option in options]
        first = next((place for place, id_ in enumerate(ids) if id_), None)
        self.highlighted = ids.index(before) if before in ids else first

    def renew(self, id: str, line: Content) -> None:
        """Shows a line as it is by now, if it is shown."""
        with suppress(OptionDoesNotExist):
            self.replace_option_prompt(id, line)


class SettingSearch(Input):
    """The line in which words are typed that the settings shall be about."""

    class Left(Message):
        """The user wants all of them again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "down,enter",
            "submit",
            "to what is found",
            tooltip="To the settings that are found",
            id="search.down",
        ),
        Binding("escape", "leave", "all settings", tooltip="All settings again", id="settings.all"),
    ]

    def action_leave(self) -> None:
        self.post_message(self.Left())


def row(name: str, value: str, phrase: str, changed: bool) -> Content:
    """A line: the value is bold where it is not what it is by itself."""
    value = visible(value)
    return Content.assemble(
        f"{name:<{_NAME_WIDTH}} ",
        (f"{value:<{_VALUE_WIDTH}} ", "bold" if changed else ""),
        (visible(phrase), "$foreground 60%"),
    )


def words_of(value: object) -> str:
    """A value as it is read: "on", "0.6", or "–" for nothing."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, int | float) else str(value) or "–"


def _title(title: str) -> Option:
    return Option(Content.assemble((f"\n{title}", "bold $text-primary")), disabled=True)
