"""Texts that were drawn: as they grow, to read, and token by token with what else they might be."""

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.playground import Token, Tokens
from genai_tui.visible import visible
from genai_tui.widgets.field import entitle
from genai_tui.widgets.token_lines import HEADING, PROMPT, Line, Source, Span, laid_out

LEVELS = (0.5, 0.1, 0.02, 0.004)
"""Probabilities below which a token is shown as one step less likely: 1, 3.3, 5.6 and 8 bits."""
SPACE = "␣"


def _key(key: str, action: str, name: str, tooltip: str, *, show: bool = False) -> Binding:
    id = f"texts.{name.replace(' ', '-')}"
    return Binding(key, action, name, show=show, tooltip=tooltip, id=id)


class Texts(ScrollView, can_focus=True):
    """All texts of a result; ``w`` puts a cursor on the tokens of those that were watched."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"texts--{name}"
        for name in ("number", "prompt", "cursor", *(f"level-{i}" for i in range(len(LEVELS) + 1)))
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("w", "watch", "watch", "How likely every token was; or the texts alone", show=True),
        _key("left", "point(-1)", "token before", "The token before"),
        _key("right", "point(1)", "next token", "The next token"),
        _key("up,k", "line(-1)", "up", "A line up; while watching, to the text before"),
        _key("down,j", "line(1)", "down", "A line down; while watching, to the next text"),
        _key("pageup", "page(-1)", "page up", "A page up"),
        _key("pagedown", "page(1)", "page down", "A page down"),
        _key("home", "end(0)", "first token", "The first token of the text"),
        _key("end", "end(1)", "last token", "The last token of the text"),
    ]
    DEFAULT_CSS = """
    Texts {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .texts--number { color: $text-primary; text-style: bold; }
        & > .texts--prompt { color: $foreground 60%; }
        & > .texts--level-0 { color: $foreground; }
        & > .texts--level-1 { background: $warning 15%; }
        & > .texts--level-2 { background: $warning 30%; }
        & > .texts--level-3 { background: $warning 50%; }
        & > .texts--level-4 { background: $warning 75%; color: $text; }
        & > .texts--cursor { background: $foreground; color: $background; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._texts: list[str] = []
        self._ways: Sequence[Tokens | None] = ()
        self._lines: list[Line] = []
        self._watching = False
        self._at = (0, 0)  # text, token

    def on_mount(self) -> None:
        self._entitle()

    # ------------------------------------------------------------------ what it shows

    @property
    def token(self) -> Token | None:
        """The one under the cursor."""
        way = self._way(self._at[0])
        return way.tokens[self._at[1]] if self._watching and way and way.tokens else None

    def show(self, texts: Sequence[str], ways: Sequence[Tokens | None] = ()) -> None:
        """Shows texts, and how those of them were written that were watched."""
        self._texts, self._ways, self._at = list(texts), ways, (0, 0)
        self._watching = self._watching and bool(self._watched())
        self._arrange()
        self.scroll_home(animate=False)
        self.refresh_bindings()

    def grow(self, texts: Sequence[str]) -> None:
        """Shows texts that are being written."""
        self._texts, self._ways, self._watching = list(texts), (), False
        self._arrange()

    def on_resize(self) -> None:
        self._arrange()

    def _way(self, text: int) -> Tokens | None:
        return self._ways[text] if text < len(self._ways) else None

    def _watched(self) -> list[int]:
        """The texts whose tokens are known."""
        return [index for index, way in enumerate(self._ways) if way is not None and way.tokens]

    def _arrange(self) -> None:
        """Lays all out anew, and repaints the lines that are others now."""
        width = self.scrollable_content_region.width
        before = (self._watching, self._lines)
        self._lines = laid_out([self._source(index) for index in range(len(self._texts))], width)
        self._entitle()
        if before[0] != self._watching or len(before[1]) != len(self._lines):
            self.virtual_size = Size(width, max(1, len(self._lines)))
            self.refresh()
        self._repaint(y for y, pair in enumerate(zip(before[1], self._lines)) if pair[0] != pair[1])  # noqa: B905

    def _repaint(self, lines: Iterable[int]) -> None:
        for y in lines:
            self.refresh_line(y - self.scroll_offset.y)

    def _source(self, index: int) -> Source:
        way = self._way(index)
        if not self._watching or way is None:
            return Source("", [self._texts[index]])
        return Source(way.prompt, [token.text for token in way.tokens], breaks=True)

    def _entitle(self) -> None:
        token = self.token
        if token is None:
            entitle(self, "texts")
            return
        text, place = self._at
        place_of = f"text {text + 1} · token {place + 1}"
        others = " · ".join(f"{_named(choice.text)} {_percent(choice.p)}" for choice in token.top)
        chosen = f"{_named(token.text)} {_percent(token.p)}"
        entitle(self, f"{place_of} · {chosen} · {-math.log2(max(token.p, 1e-9)):.1f} bits", others)

    # ------------------------------------------------------------------ lines

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        spans = self._lines[y] if y < len(self._lines) else []
        segments = [Segment(span.shown, self._look(span)) for span in spans]
        width = self.scrollable_content_region.width
        return Strip(segments).adjust_cell_length(width, self.visual_style.rich_style)

    def _look(self, span: Span) -> Style:
        name = self._look_name(span)
        if not name:
            return self.visual_style.rich_style
        return self.get_visual_style(f"texts--{name}").rich_style

    def _look_name(self, span: Span) -> str:
        if span.token in (HEADING, PROMPT):
            return "number" if span.token == HEADING else "prompt"
        way = self._way(span.text)
        if not self._watching or way is None:
            return ""
        if (span.text, span.token) == self._at:
            return "cursor"
        p = way.tokens[span.token].p
        return f"level-{sum(p < level for level in LEVELS)}"

    # ------------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "watch":
            return bool(self._watched())
        return self._watching if action in ("point", "end") else True

    def action_watch(self) -> None:
        self._watching = not self._watching
        self._at = (self._watched()[0], 0)
        self._arrange()
        self._reveal()
        self.refresh_bindings()

    def action_point(self, by: int) -> None:
        text, token = self._at
        self._go(text, token + by)

    def action_end(self, last: int) -> None:
        self._go(self._at[0], last * 10**9)

    def action_line(self, by: int) -> None:
        if not self._watching:
            self.scroll_relative(y=by, animate=False)
            return
        known = self._watched()
        place = known.index(self._at[0]) + by
        self._go(known[max(0, min(place, len(known) - 1))], self._at[1])

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * max(1, self.size.height - 1), animate=False)

    def _go(self, text: int, token: int) -> None:
        way = self._way(text)
        if way is None:
            return
        before, self._at = self._at, (text, max(0, min(token, len(way.tokens) - 1)))
        for y, line in enumerate(self._lines):
            if any((span.text, span.token) in (before, self._at) for span in line):
                self.refresh_line(y - self.scroll_offset.y)
        self._reveal()
        self._entitle()

    def _reveal(self) -> None:
        for y, line in enumerate(self._lines):
            if any((span.text, span.token) == self._at for span in line):
                self.scroll_to_region(Region(0, y, 1, 1), animate=False, force=True)
                return


def _named(text: str) -> str:
    """A token for a list: white space is shown, too."""
    shown = text.replace("\n", "⏎").replace(" ", SPACE).replace("\t", "⇥")
    return visible(shown, limit=16) or "∅"


def _percent(p: float) -> str:
    return f"{100 * p:.1f} %" if p >= 0.001 else "<0.1 %"
