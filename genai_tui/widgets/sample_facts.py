"""What is known of the samples on the screen: for what they were drawn, and where they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from textual.containers import VerticalScroll

from backends.records import SampleRequest
from genai_tui.sample_files import Drawn, Told, label_of
from genai_tui.stars import Keepsake
from genai_tui.widgets.field import Field, Part

_KNOBS = (
    *("length", "temperature", "top_k", "top_p", "beams", "steps", "guidance"),
    *("truncation", "interpolate", "image", "mask", "strength"),
)
_TITLE_WIDTH = 9


@dataclass(frozen=True, slots=True)
class Known:
    """What the facts are taken from.

    Attributes:
        tile: the number of one sample, which the facts are about; None is all of the step.
        size: width and height of a picture, "–" of others.
        file: where the samples are, to copy them.
    """

    drawn: Drawn
    told: Told
    classes: Sequence[str] = ()
    tile: int | None = None
    count: int = 0
    note: str = ""
    against: str = ""
    keepsake: Keepsake = field(default_factory=Keepsake)
    file: str = ""


class SampleFacts(VerticalScroll, can_focus=False):
    """A line a fact."""

    def compose(self):  # pyright: ignore[reportImplicitOverride]
        yield Field(classes="facts")

    def show(self, known: Known | None) -> None:
        parts = [] if known is None else _parts(facts(known))
        self.query_one(Field).show(*parts, layout=True)


def facts(known: Known) -> list[tuple[str, str]]:
    """Titles and texts; what the request leaves to the model is not among them."""
    request = known.told.request
    found = [
        ("step", f"{known.drawn.step:,}" + (" · asked for" if known.drawn.asked else "")),
        ("sample", _place(known)),
        ("seed", str(request.seed)),
        ("label", _label(known)),
        ("prompt", _prompt(known)),
        *((name.replace("_", "-"), _knob(request, name)) for name in _KNOBS),
        ("shows", known.note),
        ("against", known.against),
        ("starred", "★" if known.keepsake.starred else ""),
        ("note", known.keepsake.note),
        ("file", known.file),
    ]
    return [(title, text) for title, text in found if text]


def _place(known: Known) -> str:
    if known.tile is None:
        return f"all {known.count:,}" if known.count else ""
    return f"{known.tile + 1} of {known.count:,}"


def _label(known: Known) -> str:
    if known.tile is not None:
        return label_of(known.told, known.tile, known.classes)
    return ""


def _prompt(known: Known) -> str:
    captions = known.told.captions
    if known.tile is not None and known.tile < len(captions):
        return captions[known.tile]
    return known.told.request.prompt or ""


def _knob(request: SampleRequest, name: str) -> str:
    value: object = getattr(request, name)
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(found: list[tuple[str, str]]) -> list[Part]:
    parts: list[Part] = []
    for title, text in found:
        parts += [(f"{title:<{_TITLE_WIDTH}}", "$text-muted"), f"{text}\n"]
    return parts
