"""A few words that change often: repaints itself alone, and only when they have changed."""

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from genai_tui.visible import visible

Part = str | tuple[str, str]
"""Text, or text and its style."""


def content(*parts: Part) -> Content:
    """Text for a widget: no part of it is ever read as markup, and controls are made visible."""
    shown = (
        visible(part, lines=True)
        if isinstance(part, str)
        else (visible(part[0], lines=True), part[1])
        for part in parts
    )
    return Content.assemble(*shown)


def entitle(panel: Widget, title: str, subtitle: str = "") -> None:
    """Names a panel in its border; Textual repaints all of it even if the name is the same.

    Names hold data: brackets in them are no markup, control characters are made visible.
    """
    shown, shown_below = Content(visible(title)), Content(visible(subtitle))
    if str(panel.border_title or "") != str(shown):
        panel.border_title = shown
    if str(panel.border_subtitle or "") != str(shown_below):
        panel.border_subtitle = shown_below


class Field(Static):
    """Text of a fixed place."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part[0] for part in self._parts)

    def show(self, *parts: Part, layout: bool = False) -> None:
        """Shows this; ``layout`` if the room it takes may change."""
        if parts != self._parts:
            self._parts = parts
            self.update(content(*parts), layout=layout)
