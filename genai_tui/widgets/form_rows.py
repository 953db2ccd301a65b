"""How a form looks, in spans of named styles: headings, a row a field, its error beneath."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

from genai_tui.table import last_cells
from genai_tui.visible import visible
from genai_tui.widgets.form import Form
from genai_tui.widgets.form_fields import Field, LineEdit, Section

Span = tuple[str, str]
"""Text and the name of its style; the empty name is the row's own style."""
Picture = tuple[list[Span], str]
"""A line's spans, and the name of the style that lies under them all."""

NAME_LIMIT = 22
HELP_FROM = 88
"""Width from which a row also tells what its knob is."""
VALUE_BESIDE_HELP = 26
ERROR_INDENT = "  └ "
FAR = 10_000
"""Further than any form or value is long."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the form: a heading, a field (``error`` empty) or a line of a field's error."""

    field: Field | None = None
    section: Section | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of a row's name, value and help."""

    name: int
    value: int
    help: int

    @classmethod
    def of(cls, fields: Sequence[Field], width: int) -> "Columns":
        longest = max((cell_len(visible(field.knob.name)) for field in fields), default=0)
        name = min(longest, NAME_LIMIT, max(4, width // 2))
        room = max(1, width - name - 4)
        if width < HELP_FROM:
            return cls(name, room, 0)
        return cls(name, VALUE_BESIDE_HELP, room - VALUE_BESIDE_HELP - 1)


def layout(fields: Sequence[Field], width: int) -> list[Row]:
    """The lines that show ``fields``, in their order."""
    rows: list[Row] = []
    for _, group in groupby(fields, key=lambda field: field.section.id):
        members = list(group)
        rows.append(Row(section=members[0].section))
        for field in members:
            rows.append(Row(field=field))
            rows += [Row(field=field, error=line) for line in _error_lines(field, width)]
    return rows


def _error_lines(field: Field, width: int) -> list[str]:
    room = max(10, width - len(ERROR_INDENT) - 1)
    lines = wrap(visible(field.error), room)
    return [(ERROR_INDENT if not i else " " * 4) + line for i, line in enumerate(lines)]


def said(form: Form) -> str:
    """The filter and the numbers that a form's frame tells."""
    changed, wrong = form.marked(), len(form.errors())
    runs = form.runs()
    parts = [f"sweep of {runs:,} runs"] if runs > 1 else []
    parts += [f"{changed} changed"] if changed else []
    parts += [f"{wrong} wrong"] if wrong else []
    if form.filtering or form.filter:
        typed = visible(form.filter) + ("▏" if form.filtering else "")
        parts.insert(0, f"/{typed} {len(form.shown)} of {len(form.applying())}")
    return " · ".join(parts)


def pictures(form: Form, rows: Sequence[Row], width: int, focused: bool) -> list[Picture]:
    """The lines of a form; one that says so where a filter leaves none."""
    columns = Columns.of(form.fields, width)
    if not rows and form.filter:
        return [([("no setting matches", "help")], "")]
    return [_picture(form, row, columns, width, focused) for row in rows]


def _picture(form: Form, row: Row, columns: Columns, width: int, focused: bool) -> Picture:
    field = row.field
    if row.section:
        return heading(row.section, width), ""
    if row.error or field is None:
        return [(row.error, "error")], ""
    if field.key != form.at:
        return field_row(field, columns, None, False), ""
    look = "current" if focused else "current-blurred"
    return field_row(field, columns, form.edit, focused), look


def heading(section: Section, width: int) -> list[Span]:
    """The section's title on a rule."""
    title = f"{visible(section.title)} "
    return [(title, "section"), ("─" * max(0, width - cell_len(title)), "rule")]


def field_row(field: Field, columns: Columns, edit: LineEdit | None, current: bool) -> list[Span]:
    """A field's line. ``edit`` is the caret in its text; ``current`` without one, all selected."""
    wrong, changed = bool(field.error), field.marked
    mark = "✗" if wrong else "●" if changed else " "
    look = "wrong" if wrong else "changed" if changed else "value"
    name = fit(visible(field.knob.name), columns.name)
    value = _value(field, columns.value, look, edit, current)
    spans: list[Span] = [(f"{mark} ", "wrong" if wrong else "mark"), (f"{name}  ", "name"), *value]
    if columns.help:
        used = sum(cell_len(text) for text, _ in value)
        spans.append((" " * max(1, columns.value - used + 1), ""))
        spans.append((fit(visible(field.knob.help), columns.help), "help"))
    return spans


def _value(field: Field, room: int, look: str, edit: LineEdit | None, current: bool) -> list[Span]:
    if field.options:
        text = shorten(visible(field.text), room - 4)
        return [("‹ ", "arrow"), (text, look), (" ›", "arrow")]
    if edit is not None:
        return _edited(edit, room, look)
    unit = f" {visible(field.knob.unit)}" if field.knob.unit and field.text != "none" else ""
    text = visible(field.text)
    if cell_len(text) + len(unit) > room:
        text, unit = shorten(text, room, keep_end=True), ""
    if not text:
        return [(" " if current else "", "selected"), (shorten(_blank(field), room - 1), "help")]
    return [(text, "selected" if current and look != "wrong" else look), (unit, "unit")]


def _blank(field: Field) -> str:
    """What an empty text means."""
    return " needed" if field.knob.name in field.section.required else " automatic"


def _edited(edit: LineEdit, room: int, look: str) -> list[Span]:
    """The part of a line around its caret that fits in ``room`` cells."""
    text = visible(edit.text)
    shown = text[: edit.caret + 1]
    begin = len(shown) - len(last_cells(shown, room - 1))
    before, under, after = text[begin : edit.caret], text[edit.caret :][:1], text[edit.caret + 1 :]
    rest = room - cell_len(before) - max(1, cell_len(under))
    after = after if cell_len(after) <= rest else set_cell_size(after, max(0, rest))
    return [(before, look), (under or " ", "caret"), (after, look)]


def fit(text: str, width: int) -> str:
    """``text`` in exactly ``width`` cells."""
    return set_cell_size(shorten(text, width), max(0, width))


def shorten(text: str, width: int, *, keep_end: bool = False) -> str:
    """``text`` in at most ``width`` cells, the cut shown by "…"."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[: max(0, width)]
    if keep_end:
        return "…" + last_cells(text, width - 1)
    return set_cell_size(text, width - 1).rstrip() + "…"
