"""What a form of knobs holds and what keys do to it, without a screen."""

import itertools
import math
from collections.abc import Mapping, Sequence

from backends.knob import idle
from genai_tui import sweep
from genai_tui.widgets.form_fields import SEPARATOR, Field, LineEdit, Section

Key = tuple[str, str]
"""A section's id and a knob's name."""

TEXT_LIMIT, FILTER_LIMIT = 1000, 60
KEPT_FOR_BINDINGS = "/?"
"""Characters that no number needs, so that they stay free for the screen's keys.

A text takes them too, once it is being typed; a path may begin with them.
"""


class Form:
    """Fields under a cursor, a filter on them, and the line that is being edited.

    Attributes:
        at: the field under the cursor.
        edit: the caret in that field's text; None while the value is selected whole.
        filter: words that all shown fields have in common.
        filtering: whether what is typed goes to the filter.
        facts: what is known that no field holds, as conditions of knobs name it.
        revision: grows whenever a value changes.
    """

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.at: Key = ("", "")
        self.edit: LineEdit | None = None
        self.filter = ""
        self.filtering = False
        self.facts: Mapping[str, object] = {}
        self.revision = 0
        self._typed: dict[Key, str] = {}
        self._before = ""
        self._spelled: tuple[Key, str, str] = (("", ""), "", "")

    def show(self, sections: Sequence[Section]) -> None:
        """Puts up ``sections`` with their defaults, or what was typed in them before."""
        fields = [Field(section, knob, "") for section in sections for knob in section.knobs]
        for field in fields:
            field.text = self._typed.get(field.key, field.base)
        self.fields = fields
        self.edit = None
        self._revise()
        self._keep_cursor()

    def renew(self, sections: Sequence[Section]) -> None:
        """Takes other choices, bounds and defaults for the same fields, whatever is being typed."""
        knobs = {(section.id, knob.name): knob for section in sections for knob in section.knobs}
        for field in self.fields:
            field.knob = knobs.get(field.key, field.knob)
        self._revise()

    def learn(self, facts: Mapping[str, object]) -> None:
        """Takes what is known of the data: knobs without an effect on it are not shown."""
        if facts != self.facts:
            self.facts = facts
            self._revise()
            self._keep_cursor()

    def fill(self, values: Mapping[Key, str]) -> None:
        """Types ``values`` into their fields, and gives all others their defaults."""
        self.edit = None
        for field in self.fields:
            self._set(field, values.get(field.key, field.default))

    # ------------------------------------------------------------------ what it holds

    @property
    def shown(self) -> list[Field]:
        words = self.filter.lower().split()
        return [field for field in self.applying() if field.matches(words)]

    def applying(self) -> list[Field]:
        """The fields that have an effect beside what the others say."""
        by_section: dict[str, list[Field]] = {}
        for field in self.fields:
            by_section.setdefault(field.section.id, []).append(field)
        return [field for fields in by_section.values() for field in self._with_effect(fields)]

    def _with_effect(self, fields: Sequence[Field]) -> list[Field]:
        """Those that have one in every run of a sweep: a worker refuses what has none."""
        knobs = [field.knob for field in fields]
        conditions = {name for knob in knobs for name in knob.only}
        texts = {field.knob.name: field.values for field in fields if field.knob.name in conditions}
        without: set[str] = set()
        for one in itertools.islice(itertools.product(*texts.values()), sweep.MOST_RUNS):
            without |= set(idle(knobs, {**dict(zip(texts, one, strict=True)), **self.facts}))
        return [field for field in fields if field.knob.name not in without]

    @property
    def field(self) -> Field | None:
        """The field under the cursor."""
        return next((field for field in self.shown if field.key == self.at), None)

    def text(self, key: Key) -> str:
        """The text of one field; empty if there is no such field."""
        return next((field.text.strip() for field in self.fields if field.key == key), "")

    def changes(self) -> dict[Key, str]:
        """The texts that mean other values than the defaults."""
        return {field.key: field.text.strip() for field in self.applying() if field.changed}

    def swept(self) -> list[Field]:
        """The fields that have several values."""
        return [field for field in self.applying() if field.swept]

    def runs(self) -> int:
        """How many runs it takes to have every combination of values."""
        return math.prod(len(field.values) for field in self.swept())

    def marked(self) -> int:
        """How many texts mean other values than those that they began with."""
        return sum(field.marked for field in self.applying())

    def errors(self) -> dict[Key, str]:
        """The sentence of every field that is wrong, in the order of the fields."""
        return {field.key: field.error for field in self.applying() if field.error}

    # ------------------------------------------------------------------ moving

    def go_to(self, key: Key) -> None:
        """Moves to a field, past any filter."""
        self.set_filter("")
        self.filtering = False
        self._step(key)

    def move(self, by: int) -> None:
        self.filtering = False
        keys = [field.key for field in self.shown]
        if self.at in keys:
            self._step(keys[min(max(0, keys.index(self.at) + by), len(keys) - 1)])

    def next(self) -> None:
        """From the filter to the first field that it found; else to the next field."""
        if self.filtering:
            self.leave()
        else:
            self.move(1)

    def leave(self) -> None:
        """Ends editing; what was typed stays."""
        self.filtering, self.edit = False, None

    def set_filter(self, text: str) -> None:
        self.filter = text[:FILTER_LIMIT]
        self._keep_cursor()

    def start_filter(self) -> None:
        self.filtering, self.edit = True, None

    def _step(self, key: Key) -> None:
        if key != self.at:
            self.at, self.edit = key, None

    def _keep_cursor(self) -> None:
        """Stays on a field that is shown: the same, its namesake, or the first."""
        keys = [field.key for field in self.shown]
        if self.at not in keys and keys:
            self._step(next((key for key in keys if key[1] == self.at[1]), keys[0]))

    # ------------------------------------------------------------------ typing

    def takes(self, character: str) -> bool:
        """Whether a printable character is for this form, rather than a key of the screen."""
        field = self.field
        if self.filtering or (field is not None and self._is_begun(field)):
            return True
        if field is None or character in KEPT_FOR_BINDINGS:
            return False
        if character == SEPARATOR:
            return not field.options or field.sweepable
        return not field.options or character.isalnum() or character == " "

    def _is_begun(self, field: Field) -> bool:
        """Whether any character can go on from where the caret is."""
        is_open = self.edit is not None or field.section.complete is not None
        return field.knob.kind == "text" and is_open

    def type(self, text: str) -> None:
        """Types into the filter, over the value or at the caret; or picks an option."""
        field = self.field
        if self.filtering:
            self.set_filter(self.filter + text)
        elif field is not None and field.options:
            self._choose(field, text)
        elif field is not None and (field.knob.kind == "text" or not text.isspace()):
            self._open(field, LineEdit("")).insert(text)
            self._take_edit(field)

    def sideways(self, by: int) -> None:
        """The option beside; or the caret, which from outside enters at that side."""
        field = self.field
        if field is None or self.filtering:
            return
        if field.options:
            self._set(field, field.option_after(by))
        elif self.edit is None:
            self._open(field, LineEdit(field.text, len(field.text) if by > 0 else 0))
        else:
            self.edit.move(by)

    def backspace(self) -> None:
        if self.filtering:
            self.set_filter(self.filter[:-1])
        elif (chosen := self.field) is not None and chosen.options:
            self._set(chosen, chosen.option_less())
        elif (field := self._line()) is not None:
            self._open(field, LineEdit(field.text)).backspace()
            self._take_edit(field)

    def delete(self) -> None:
        """Deletes at the caret; a value that is selected whole gets its default."""
        field = self.field
        if field is not None and self.edit is not None:
            self.edit.delete()
            self._take_edit(field)
        else:
            self.reset()

    def clear(self) -> None:
        if self.filtering:
            self.set_filter("")
        elif (field := self._line()) is not None:
            self._open(field, LineEdit(field.text)).clear()
            self._take_edit(field)

    @property
    def can_complete(self) -> bool:
        field = self.field
        return field is not None and self.edit is not None and field.section.complete is not None

    def complete(self) -> None:
        """Completes what was typed, as far as that is plain."""
        field = self.field
        if field is not None and self.edit is not None and field.section.complete is not None:
            self.edit = LineEdit(field.section.complete(self.edit.text))
            self._take_edit(field)

    def reset(self) -> None:
        """Gives the current field the value that it began with: its default, or what it was."""
        field = self.field
        if field is not None:
            self.edit = None
            self._set(field, field.base)

    @property
    def can_undo(self) -> bool:
        return self.filtering or bool(self.filter) or self.edit is not None

    def undo(self) -> None:
        """Takes back one thing: the filter, or else the edit of the current field."""
        field = self.field
        if self.filtering or self.filter:
            self.filtering = False
            self.set_filter("")
        elif field is not None and self.edit is not None:
            self.edit = None
            self._set(field, self._before)

    def _line(self) -> Field | None:
        """The current field if it is typed, not chosen."""
        field = self.field
        return None if field is None or field.options else field

    def _open(self, field: Field, edit: LineEdit) -> LineEdit:
        """The edit of ``field``: the one that is open, or else ``edit``."""
        if self.edit is None:
            self.edit, self._before = edit, field.text
        return self.edit

    def _take_edit(self, field: Field) -> None:
        if self.edit is not None:
            self.edit.text = self.edit.text[:TEXT_LIMIT]
            self.edit.move(0)
            self._set(field, self.edit.text)

    def _choose(self, field: Field, key: str) -> None:
        """What a key makes of options: space takes the next, a comma one more, letters spell one;
        the same letter again takes the next that begins with it."""
        letters = self._letters_of(field)
        spelled = field.option_spelled(letters + key) if letters else None
        if spelled is not None:
            self._set(field, spelled)
            self._spelled = (field.key, field.text, letters + key)
        elif key == SEPARATOR:
            self._set(field, field.option_more())
        elif key == " ":
            self._set(field, field.option_after(1))
        else:
            self._set(field, field.option_like(key))
            self._spelled = (field.key, field.text, key)

    def _letters_of(self, field: Field) -> str:
        """What has been spelled so far, unless the value was changed since."""
        key, text, letters = self._spelled
        return letters if (key, text) == (field.key, field.text) else ""

    def _set(self, field: Field, text: str) -> None:
        if field.text != text:
            field.text = self._typed[field.key] = text
            self._revise()

    def _revise(self) -> None:
        """Something has changed: the last of the fields with several values says if they are too
        many."""
        self.revision += 1
        swept = self.swept()
        for field in self.fields:
            field.excess = ""
        if swept:
            swept[-1].excess = sweep.too_many(self.runs())
