"""A form of knobs that is typed into like a spreadsheet: one widget, one line a knob."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.visible import visible
from genai_tui.widgets import form_rows
from genai_tui.widgets.form import Form, Key
from genai_tui.widgets.form_fields import Field, Section
from genai_tui.widgets.form_rows import Picture, Row


def _hidden(keys: str, action: str, tooltip: str) -> Binding:
    return Binding(keys, action, tooltip.partition(";")[0], show=False, tooltip=tooltip)


FILTER_TOOLTIP = "Show only the settings that some words are about"
_BINDINGS = [
    _hidden("up", "move(-1)", "To the setting before"),
    _hidden("down", "move(1)", "To the next setting"),
    _hidden("enter", "next", "To the next setting; in the filter, to what it found"),
    _hidden("pageup", "page(-1)", "A page up"),
    _hidden("pagedown", "page(1)", "A page down"),
    _hidden("left", "sideways(-1)", "The option before; in a value, a character back"),
    _hidden("right", "sideways(1)", "The next option; in a value, a character on"),
    _hidden("home", "home(-1)", "To the first setting; in a value, to its start"),
    _hidden("end", "home(1)", "To the last setting; in a value, to its end"),
    _hidden("backspace", "backspace", "Delete the character before"),
    _hidden("delete", "delete", "Back to the default; in a value, delete a character"),
    _hidden("ctrl+u", "clear", "Empty the value"),
    Binding("slash", "filter", "filter", tooltip=FILTER_TOOLTIP),
    Binding("tab", "complete", "complete", tooltip="Complete the path; else the next panel"),
    Binding("ctrl+z", "reset", "default", tooltip="Back to the setting's default"),
    Binding("escape", "undo", "undo", tooltip="Take back the filter, or else what was typed"),
]


class ConfigForm(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows sections of knobs, checks every key stroke, remembers what was typed in each section.

    A row is selected whole: typing replaces its value, left and right move within it. Options are
    chosen with left, right, space or their first letter.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*_BINDINGS]
    ACTIONS: ClassVar[dict[str, str]] = {binding.key: binding.action for binding in _BINDINGS}
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"config-form--{name}"
        for name in (
            *("section", "rule", "mark", "name", "value", "changed", "wrong", "arrow"),
            *("error", "unit", "help", "selected", "caret", "current", "current-blurred"),
        )
    }
    DEFAULT_CSS = """
    ConfigForm {
        border: round $foreground 25%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $foreground 70%;
        padding: 0 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        &:focus { border: round $border; }
        &.-invalid { border: round $error 60%; }
        &.-invalid:focus { border: round $error; }
        & > .config-form--section { color: $text-primary; text-style: bold; }
        & > .config-form--rule { color: $foreground 15%; }
        & > .config-form--mark { color: $text-accent; }
        & > .config-form--changed { color: $text-accent; text-style: bold; }
        & > .config-form--wrong { color: $text-error; text-style: bold; }
        & > .config-form--error { color: $text-error; }
        & > .config-form--name { color: $foreground 75%; }
        & > .config-form--arrow { color: $foreground 50%; }
        & > .config-form--unit { color: $foreground 50%; }
        & > .config-form--help { color: $foreground 50%; }
        & > .config-form--current { background: $primary 25%; }
        & > .config-form--current-blurred { background: $foreground 8%; }
        & > .config-form--selected { background: $primary; color: $text; text-style: bold; }
        & > .config-form--caret { background: $foreground; color: $background; }
    }
    """

    class Changed(Message):
        """A value, and with it perhaps its validity, is another now."""

    class Moved(Message):
        """The cursor is on another field, or that field's text is another."""

        def __init__(self, field: Field | None) -> None:
            super().__init__()
            self.field = field

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form = Form()
        self._rows: list[Row] = []
        self._pictures: list[Picture] = []
        self._framed: tuple[object, ...] = ()

    # ------------------------------------------------------------------ what it holds

    def show(self, sections: Sequence[Section]) -> None:
        """Puts up ``sections`` with their defaults, or what was typed in them before."""
        self._do(self._form.show, sections)

    def renew(self, sections: Sequence[Section]) -> None:
        """Takes other choices, bounds and defaults for the same fields, whatever is being typed."""
        self._do(self._form.renew, sections)

    def learn(self, facts: Mapping[str, object]) -> None:
        """Takes what is known of the data; see :attr:`Form.facts`."""
        if facts != self._form.facts:
            self._do(self._form.learn, facts)

    def fill(self, values: Mapping[Key, str]) -> None:
        """Types ``values`` into their fields, and gives all others their defaults."""
        self._do(self._form.fill, values)

    @property
    def fields(self) -> Sequence[Field]:
        """The fields that have an effect beside the others, in order."""
        return self._form.applying()

    def text(self, section: str, name: str) -> str:
        """The text of one field; empty if there is no such field."""
        return self._form.text((section, name))

    def values(self) -> dict[Key, str]:
        """Every field's text by section and name."""
        return {field.key: field.text.strip() for field in self._form.fields}

    def changes(self) -> dict[Key, str]:
        """The texts that mean other values than the defaults, by section and name."""
        return self._form.changes()

    def swept(self) -> dict[Key, list[str]]:
        """The values of every field that has several, by section and name."""
        return {field.key: field.values for field in self._form.swept()}

    @property
    def touched(self) -> int:
        """How many settings mean other values than those that they began with."""
        return self._form.marked()

    def errors(self) -> dict[Key, str]:
        """The sentence of every field that is wrong, by section and name."""
        return self._form.errors()

    @property
    def field(self) -> Field | None:
        """The field under the cursor."""
        return self._form.field

    def go_to(self, section: str, name: str) -> None:
        """Moves the cursor to a field and takes the focus."""
        self._do(self._form.go_to, (section, name))
        self.focus()

    @property
    def finds_nothing(self) -> bool:
        """Whether a filter hides every setting."""
        return bool(self._form.fields) and not self._form.shown

    def start_filter(self) -> None:
        """What is typed next says which knobs are shown."""
        self.focus()
        self.action_filter()

    # ------------------------------------------------------------------ keys

    def _do(self, change: Callable[..., None], *arguments: object) -> None:
        """Changes the form and shows what came of it."""
        before = self._form.revision
        change(*arguments)
        self._arrange()
        if self._form.revision != before:
            self.post_message(self.Changed())

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        return bool(character) and character.isprintable() and self._form.takes(character)

    async def on_key(self, event: events.Key) -> None:
        """Handles all keys of the form in the order in which they came.

        Left to the bindings, "down" would be done only after it has bubbled through all parents,
        and a digit that came with it in one read would be typed into the row above.
        """
        if event.is_printable and event.character and self._form.takes(event.character):
            self._do(self._form.type, event.character)
        elif not await self._act(self.ACTIONS.get(event.key)):
            return
        event.stop()
        event.prevent_default()

    async def _act(self, action: str | None) -> bool:
        """Whether there is such an action, and it could be done."""
        return action is not None and await cast(App[object], self.app).run_action(action, self)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        field = self.field
        line = visible((event.text.strip().splitlines() or [""])[0])
        if line and (self._form.filtering or (field is not None and not field.options)):
            self._do(self._form.type, line)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Escape and tab belong to the screen when there is nothing here for them to do.
        if action == "undo":
            return self._form.can_undo
        return self._form.can_complete if action == "complete" else True

    def action_move(self, by: int) -> None:
        self._do(self._form.move, by)

    def action_next(self) -> None:
        self._do(self._form.next)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.scrollable_content_region.height - 2))

    def action_sideways(self, by: int) -> None:
        self._do(self._form.sideways, by)

    def action_home(self, where: int) -> None:
        far = where * form_rows.FAR
        self._do(self._form.move if self._form.edit is None else self._form.sideways, far)

    def action_backspace(self) -> None:
        self._do(self._form.backspace)

    def action_delete(self) -> None:
        self._do(self._form.delete)

    def action_clear(self) -> None:
        self._do(self._form.clear)

    def action_reset(self) -> None:
        self._do(self._form.reset)

    def action_filter(self) -> None:
        self._do(self._form.start_filter)

    def action_complete(self) -> None:
        before = self._form.revision
        self._do(self._form.complete)
        if self._form.revision == before:
            self.screen.focus_next()

    def action_undo(self) -> None:
        self._do(self._form.undo)

    def on_click(self, event: events.Click) -> None:
        y = self.scroll_offset.y + event.get_content_offset_capture(self).y
        field = self._rows[y].field if 0 <= y < len(self._rows) else None
        if field is None:
            return
        again = field.key == self._form.at
        names = [shown.key for shown in self._form.shown]
        self._do(self._form.move, names.index(field.key) - names.index(self._form.at))
        if again and field.options:
            self.action_sideways(1)

    # ------------------------------------------------------------------ lines

    def on_resize(self) -> None:
        self._arrange()

    def on_focus(self) -> None:
        self._arrange()

    def on_blur(self) -> None:
        self._do(self._form.leave)

    def _arrange(self) -> None:
        """Lays out the lines anew, scrolls to the cursor's and tells the screen."""
        width = self.scrollable_content_region.width
        self._rows = form_rows.layout(self._form.shown, width)
        self.virtual_size = Size(width, max(1, len(self._rows)))
        self._frame()
        self._scroll_to_cursor()
        self._repaint(form_rows.pictures(self._form, self._rows, width, self.has_focus))
        self.post_message(self.Moved(self.field))

    def _frame(self) -> None:
        """Updates what is around the lines, where it is another."""
        self.set_class(bool(self._form.errors()), "-invalid")
        form, said = self._form, form_rows.said(self._form)
        frame = (said, form.can_undo, form.can_complete, form.takes("/"))
        if frame != self._framed:
            self._framed = frame
            self.border_subtitle = Content(said)
            self.refresh_bindings()

    def _scroll_to_cursor(self) -> None:
        mine = [
            y for y, row in enumerate(self._rows) if row.field and row.field.key == self._form.at
        ]
        if mine:
            # With the heading above a section's first field, and with the field's error below it.
            top = mine[0] - (1 if mine[0] and self._rows[mine[0] - 1].section else 0)
            region = Region(0, top, 1, mine[-1] - top + 1)
            self.scroll_to_region(region, animate=False, force=True)

    def _repaint(self, pictures: list[Picture]) -> None:
        """Repaints the lines that differ, since most keys change one or two."""
        before, self._pictures = self._pictures, pictures
        if len(before) != len(pictures):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, pictures, strict=True)):
            if old != new:
                self.refresh_line(y)

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        spans, look = self._pictures[y] if y < len(self._pictures) else ([], "")
        segments = [Segment(text, self._look(look, name)) for text, name in spans]
        width = self.scrollable_content_region.width
        return Strip(segments).adjust_cell_length(width, self._look(look))

    def _look(self, *names: str) -> Style:
        return self.get_visual_style(*(f"config-form--{name}" for name in names if name)).rich_style
