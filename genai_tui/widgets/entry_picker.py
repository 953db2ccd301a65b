"""A list to pick an entry from: generators by family, or data sets. Broken entries say why."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from genai_tui.visible import visible
from genai_tui.widgets.form_rows import shorten

CAPTION_LINES, ERROR_LINES = 2, 6
INDENT = 2
HEADING, DIM, WRONG = "bold $text-primary", "$foreground 55%", "$text-error"


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be picked. One with an ``error`` is shown with it and cannot."""

    name: str
    label: str
    group: str = ""
    tag: str = ""
    caption: str = ""
    error: str = ""


class EntryPicker(OptionList):
    """Shows entries under the headings of their groups; moving the highlight picks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "right", "leave", "next", tooltip="On to the next panel", show=False, id="picker.next"
        ),
    ]
    DEFAULT_CSS = """
    EntryPicker {
        border: round $foreground 25%;
        background: $background;
        border-title-color: $foreground;
        border-title-style: bold;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        &:focus { border: round $border; background-tint: $foreground 0%; }
    }
    """

    captions = reactive(False)
    """Whether every entry says what it is, not only its name."""

    class About(Message):
        """Something happened to a picker."""

        def __init__(self, picker: "EntryPicker", entry: Entry | None) -> None:
            super().__init__()
            self.picker = picker
            self.entry = entry

        @property
        def control(self) -> "EntryPicker":
            return self.picker

    class Picked(About):
        """Another entry is picked."""

    class Entered(About):
        """The focus came to the picker."""

    class Left(About):
        """The user is done with the picker."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._entries: tuple[Entry, ...] = ()
        self._picked = ""

    @property
    def picked(self) -> Entry | None:
        """The entry that is picked; None where there is none to pick."""
        return next((entry for entry in self._entries if entry.name == self._picked), None)

    def show(self, entries: Sequence[Entry], picked: str = "") -> None:
        """Puts up ``entries`` with ``picked``, or else the first that works, picked."""
        self._entries = tuple(entries)
        working = [entry.name for entry in entries if not entry.error]
        self._picked = picked if picked in working else next(iter(working), "")
        self._rebuild()

    def watch_captions(self) -> None:
        self._rebuild()

    def on_resize(self, event: events.Resize) -> None:
        self._rebuild()

    def _rebuild(self) -> None:
        width = self.scrollable_content_region.width
        options: list[Option] = []
        at = None
        for group, members in groupby(self._entries, key=lambda entry: entry.group):
            if group:
                options.append(_heading(group, width))
            for entry in members:
                at = len(options) if entry.name == self._picked else at
                prompt = _prompt(entry, width, self.captions)
                options.append(Option(prompt, id=entry.name, disabled=bool(entry.error)))
        self.set_options(options)
        self.highlighted = at

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        name = event.option_id or ""
        if name == self._picked:
            return
        self._picked = name
        self.post_message(self.Picked(self, self.picked))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        self.post_message(self.Left(self, self.picked))

    def on_focus(self) -> None:
        self.post_message(self.Entered(self, self.picked))


def _heading(group: str, width: int) -> Option:
    return Option(Content.styled(shorten(visible(group), width), HEADING), disabled=True)


def _prompt(entry: Entry, width: int, captions: bool) -> Content:
    """The entry's name with its tag at the right, and below it the caption or the error."""
    tag = "" if entry.error else visible(entry.tag)
    label = shorten(f"{'✗' if entry.error else ' '} {visible(entry.label)}", max(1, width))
    gap = width - cell_len(label) - cell_len(tag)
    parts = [
        Content.styled(label, WRONG if entry.error else ""),
        Content.styled(" " * gap + tag if tag and gap > 0 else "", DIM),
    ]
    text = visible(entry.error or (entry.caption if captions else ""))
    lines = wrap(
        text,
        max(8, width - INDENT),
        max_lines=ERROR_LINES if entry.error else CAPTION_LINES,
        placeholder="…",
    )
    style = WRONG if entry.error else DIM
    return Content.assemble(
        *parts, *(Content.styled(f"\n{' ' * INDENT}{line}", style) for line in lines)
    )
