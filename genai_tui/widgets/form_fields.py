"""The fields of a form without a screen: what is typed, what it means, what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from backends.knob import Knob, plain, written


@dataclass(frozen=True, slots=True)
class Section:
    """Knobs under one heading.

    Attributes:
        id: tells apart knobs of one name; what is typed is remembered by it.
        required: names of knobs whose empty text is an error.
        complete: makes a longer text of one that was begun, as a shell does; None if nothing can.
        before: texts by name with which knobs begin instead of their defaults: those of the run
            that is forked.
    """

    id: str
    title: str
    knobs: tuple[Knob, ...]
    required: frozenset[str] = frozenset()
    complete: Callable[[str], str] | None = None
    before: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Field:
    """A knob and the text that stands for its value."""

    section: Section
    knob: Knob
    text: str

    @property
    def key(self) -> tuple[str, str]:
        return self.section.id, self.knob.name

    @property
    def default(self) -> str:
        return written(self.knob.default)

    @property
    def base(self) -> str:
        """The text that it begins with."""
        return self.section.before.get(self.knob.name, self.default)

    @property
    def marked(self) -> bool:
        """Whether the text means another value than the one it began with."""
        return self.text != self.base and self._means_other(self.base)

    @property
    def error(self) -> str:
        """The sentence that says why the text is no value; empty if it is one."""
        if self.knob.name in self.section.required and not self.text.strip():
            return f"{self.knob.name} is needed: {self.knob.help}"
        try:
            self.knob.parse(self.text)
        except ValueError as error:
            return str(error)
        return ""

    @property
    def changed(self) -> bool:
        """Whether the text means another value than the default."""
        return self.text != self.default and self._means_other(self.default)

    def _means_other(self, text: str) -> bool:
        try:
            return self.knob.parse(self.text) != self.knob.parse(text)
        except ValueError:
            return True

    @property
    def options(self) -> list[str]:
        """The values to choose from; empty where one is typed."""
        if self.knob.kind not in ("bool", "choice"):
            return []
        options = ["no", "yes"] if self.knob.kind == "bool" else self.knob.choices
        return [*options, "none"] if self.knob.optional else options

    def option_after(self, by: int) -> str:
        """The option that is ``by`` places further on, round and round."""
        options = self.options
        place = options.index(self.text) if self.text in options else min(0, -by)
        return options[(place + by) % len(options)]

    def option_like(self, letter: str) -> str:
        """The next option that begins with ``letter``; the present one if none does."""
        options = self.options
        place = options.index(self.text) if self.text in options else -1
        later = options[place + 1 :] + options[: place + 1]
        return next((o for o in later if o.lower().startswith(letter.lower())), self.text)

    def matches(self, words: Iterable[str]) -> bool:
        """Whether every word occurs in the knob's name, its help or its section's title."""
        where = f"{self.knob.name} {self.knob.help} {self.section.title}".lower()
        return all(word in where for word in words)

    def about(self) -> str:
        """What the knob is: its help, the allowed values and its default."""
        unit = f" {self.knob.unit}" if self.knob.unit else ""
        default = f"default {self.default}{unit}" if self.default else ""
        was = f"was {self.base}{unit}" if self.base != self.default else ""
        parts = (self.knob.help, self._allowed(), default, was)
        return " · ".join(part for part in parts if part)

    def _allowed(self) -> str:
        """The bounds in few words; the sentence of an error has them in full."""
        low, high = self.knob.low, self.knob.high
        if self.options:
            return " or ".join(self.options)
        if self.knob.kind == "text" or (low is None and high is None):
            return ""
        none = " or none" if self.knob.optional else ""
        if high is None:
            return f"{plain(low or 0)} or more{none}"
        lowest = "at most" if low is None else f"{plain(low)} to"
        return f"{lowest} {plain(high)}{none}"


@dataclass(slots=True)
class LineEdit:
    """A line of text with a caret in it."""

    text: str
    caret: int = field(default=-1)

    def __post_init__(self) -> None:
        self.caret = len(self.text) if self.caret < 0 else self.caret

    def insert(self, text: str) -> None:
        self.text = self.text[: self.caret] + text + self.text[self.caret :]
        self.caret += len(text)

    def backspace(self) -> None:
        self.text = self.text[: max(0, self.caret - 1)] + self.text[self.caret :]
        self.move(-1)

    def delete(self) -> None:
        self.text = self.text[: self.caret] + self.text[self.caret + 1 :]

    def clear(self) -> None:
        self.text, self.caret = "", 0

    def move(self, by: int) -> None:
        self.caret = min(max(0, self.caret + by), len(self.text))
