"""The fields of a form without a screen: what is typed, what it means, what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from backends.knob import Knob, plain, written

SEPARATOR = ","
"""Between the values of a knob that is swept."""


@dataclass(frozen=True, slots=True)
class Section:
    """Knobs under one heading.

    Attributes:
        id: tells apart knobs of one name; what is typed is remembered by it.
        required: names of knobs whose empty text is an error.
        complete: makes a longer text of one that was begun, as a shell does; None if nothing can.
        before: texts by name with which knobs begin instead of their defaults: those of the run
            that is forked.
        swept: names of knobs that may have several values, commas between, for a run each.
    """

    id: str
    title: str
    knobs: tuple[Knob, ...]
    required: frozenset[str] = frozenset()
    complete: Callable[[str], str] | None = None
    before: Mapping[str, str] = field(default_factory=dict[str, str])
    swept: frozenset[str] = frozenset()


@dataclass(slots=True)
class Field:
    """A knob and the text that stands for its value, or for several.

    Attributes:
        excess: why its values are too many beside those of the others; empty if they are not.
    """

    section: Section
    knob: Knob
    text: str
    excess: str = ""

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
        values = self.values
        if self.swept and not all(values):
            return f"{self.knob.name} lacks a value beside a comma"
        try:
            parsed = [self.knob.parse(value) for value in values]
        except ValueError as error:
            return str(error)
        twice = next((v for n, v in enumerate(values) if parsed[n] in parsed[:n]), "")
        return f"{self.knob.name} has the value {twice} twice" if twice else self.excess

    @property
    def sweepable(self) -> bool:
        """Whether it may have several values."""
        return self.knob.name in self.section.swept

    @property
    def swept(self) -> bool:
        """Whether it has several values."""
        return self.sweepable and SEPARATOR in self.text

    @property
    def values(self) -> list[str]:
        """The text of each value."""
        parts = self.text.split(SEPARATOR) if self.sweepable else [self.text]
        return [part.strip() for part in parts]

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
        """The text with another last option: the one ``by`` places further on, round and round."""
        options, last = self._free_options(), self.values[-1]
        place = options.index(last) if last in options else min(0, -by)
        return self._ending_in(options[(place + by) % len(options)])

    def option_like(self, letter: str) -> str:
        """The text with the next option that begins with ``letter``; the same if none does."""
        options, last = self._free_options(), self.values[-1]
        place = options.index(last) if last in options else -1
        later = options[place + 1 :] + options[: place + 1]
        found = next((o for o in later if o.lower().startswith(letter.lower())), last)
        return self._ending_in(found)

    def option_spelled(self, letters: str) -> str | None:
        """The text with the first option that begins with ``letters``; None if none does."""
        begins = (o for o in self._free_options() if o.lower().startswith(letters.lower()))
        found = next(begins, None)
        return None if found is None else self._ending_in(found)

    def option_more(self) -> str:
        """The text with one option more; the same if there is no other."""
        options = self._free_options()
        place = options.index(self.values[-1]) if self.values[-1] in options else -1
        later = [*options[place + 1 :], *options[: max(0, place)]]
        return SEPARATOR.join([*self.values, *later[:1]]) if self.sweepable else self.text

    def option_less(self) -> str:
        """The text without its last option; the same if it is the only one."""
        return SEPARATOR.join(self.values[:-1] or self.values)

    def _free_options(self) -> list[str]:
        """The options that the last value may be: what those before it are not."""
        return [option for option in self.options if option not in self.values[:-1]]

    def _ending_in(self, option: str) -> str:
        return SEPARATOR.join([*self.values[:-1], option])

    def matches(self, words: Iterable[str]) -> bool:
        """Whether every word occurs in the knob's name, its help or its section's title."""
        where = f"{self.knob.name} {self.knob.help} {self.section.title}".lower()
        return all(word in where for word in words)

    def about(self) -> str:
        """What the knob is: its help, the allowed values and its default."""
        unit = f" {self.knob.unit}" if self.knob.unit else ""
        default = f"default {self.default}{unit}" if self.default else ""
        was = f"was {self.base}{unit}" if self.base != self.default else ""
        several = "a,b: a sweep" if self.sweepable else ""
        parts = (self.knob.help, self._allowed(), default, was, several)
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
