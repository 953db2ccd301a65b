"""From the form of a playground to a request and its command, and back from a request that was."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.knob import Knob, written
from backends.records import SampleRequest
from genai_tui.command_line import in_store, sample_words
from genai_tui.run import Run
from genai_tui.widgets.draft import completed
from genai_tui.widgets.form import Key
from genai_tui.widgets.form_fields import Field, Section

FROM, WHAT, HOW, PICTURE = "from", "what", "how", "picture"
WATCH = (FROM, "watch")
NEWEST, BEST = "newest", "best"
_SECTIONS = {
    **dict.fromkeys(("count", "seed", "labels", "prompt", "length"), WHAT),
    **dict.fromkeys(("image", "mask", "strength"), PICTURE),
}
_TITLES = {FROM: "From", WHAT: "What", HOW: "How", PICTURE: "From a picture"}
NEW_LINE = r"\n"
"""How a new line is typed, and shown, in a prompt."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Those of a run, oldest first; ``best`` has the least validation loss, where one is known."""

    steps: tuple[int, ...] = ()
    best: int | None = None

    @property
    def choices(self) -> list[str]:
        """What a form offers: every step by its number, too."""
        best = [BEST] if self.best is not None else []
        return [NEWEST, *best, *(f"{step:,}" for step in reversed(self.steps))]

    def step(self, choice: str) -> int | None:
        """The step that a choice means; None if there is none."""
        if choice == NEWEST:
            return self.steps[-1] if self.steps else None
        if choice == BEST:
            return self.best
        word = choice.replace(",", "")
        return int(word) if word.isdecimal() and int(word) in self.steps else None


@dataclass(frozen=True, slots=True)
class PlayDraft:
    """What the form asks for.

    Attributes:
        labels: names of the classes in the request.
    """

    step: int
    request: SampleRequest
    watch: bool
    labels: tuple[str, ...] = ()

    def words(self, run: Run) -> list[str]:
        """The command that draws the same."""
        words = sample_words(run.id, self.step, self.request, self.labels)
        return [in_store(words[0], run.path.parent), *words[1:]]


def sections(checkpoints: Checkpoints, knobs: Sequence[Knob]) -> list[Section]:
    """The form for a model with these ``knobs``."""
    grouped: dict[str, list[Knob]] = {FROM: _from(checkpoints), WHAT: [], HOW: [], PICTURE: []}
    for knob in knobs:
        grouped[_SECTIONS.get(knob.name, HOW)].append(knob)
    return [
        Section(id, _TITLES[id], tuple(of), complete=completed if id == PICTURE else None)
        for id, of in grouped.items()
        if of
    ]


def _from(checkpoints: Checkpoints) -> list[Knob]:
    return [
        Knob(
            name="checkpoint",
            kind="choice",
            default=NEWEST,
            choices=checkpoints.choices,
            help="newest, best by validation loss, or a step",
        ),
        Knob(name="watch", kind="bool", default=True, help="keep how the samples come about"),
    ]


def drafted(checkpoints: Checkpoints, fields: Sequence[Field]) -> PlayDraft | str:
    """What the form asks for, or the sentence that says why it asks for nothing."""
    wrong = next((field.error for field in fields if field.error), "")
    if wrong:
        return wrong
    texts = {field.knob.name: field.text for field in fields}
    step = checkpoints.step(texts.get("checkpoint", NEWEST))
    if step is None:
        return "this run has no checkpoint yet: c on the run's screen writes one"
    asked = {field.knob.name: _value(field) for field in fields if field.section.id != FROM}
    if asked.get("around") is None:
        asked.pop("spread", None)  # of nobody's neighbours
    named = texts.get("labels", "") if asked.get("labels") else ""
    return PlayDraft(
        step=step,
        request=SampleRequest(**asked),  # pyright: ignore[reportArgumentType]
        watch=texts.get("watch") == "yes",
        labels=(named,) if named else (),
    )


def _value(field: Field) -> int | float | str | bool | list[int] | None:
    """What a field says in a request; None leaves it to the model."""
    knob = field.knob
    if knob.name == "labels":
        place = knob.choices.index(field.text)
        return [place - 1] if place else None
    if knob.name == "prompt":
        return field.text.replace(NEW_LINE, "\n") or None
    if knob.name in ("image", "mask"):
        # Absolute, since it is to mean the same when the studio starts elsewhere.
        return os.path.abspath(os.path.expanduser(field.text)) if field.text.strip() else None
    if knob.name not in ("count", "seed") and not field.changed:
        return None
    value = knob.parse(field.text)
    return value if value or knob.kind in ("int", "float") else None


def refilled(
    checkpoints: Checkpoints, knobs: Sequence[Knob], step: int, request: SampleRequest
) -> Mapping[Key, str]:
    """The texts that make the form ask for ``request`` at ``step``, as far as it can be asked."""
    word = f"{step:,}"
    values: dict[Key, str] = {}
    if word in checkpoints.choices:
        values[FROM, "checkpoint"] = word
    for knob in knobs:
        value = getattr(request, knob.name, None)
        if value is not None:
            values[_SECTIONS.get(knob.name, HOW), knob.name] = _text(knob, value)
    return values


def _text(knob: Knob, value: object) -> str:
    if isinstance(value, list):
        place = 1 + int(value[0]) if len(value) == 1 else 0  # pyright: ignore[reportUnknownArgumentType]
        return knob.choices[place if place < len(knob.choices) else 0]
    if isinstance(value, str):
        return value.replace("\n", NEW_LINE)
    return written(value) if isinstance(value, int | float | bool) else ""
