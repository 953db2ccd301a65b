"""The last hop before the terminal: whatever comes here, no character of it is a command."""

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.segment import Segment, Segments
from textual.color import Color
from textual.filter import LineFilter

from genai_tui.visible import visible


class Visible(LineFilter):
    """What is painted: no control character of any data gets through."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or segment.text.isprintable() for segment in segments):
            return segments
        return [
            segment if segment.control else Segment(visible(segment.text), segment.style)
            for segment in segments
        ]


class VisibleErrors(RenderHook):
    """What Textual prints when the studio fails: the exception's message may quote foreign text."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [Segments(self._shown(renderable)) for renderable in renderables]

    def _shown(self, renderable: ConsoleRenderable) -> list[Segment]:
        return [
            Segment(visible(segment.text, lines=True), segment.style)
            for segment in self._console.render(renderable)
            if not segment.control
        ]
