"""The help: every key of a screen, read from its bindings, and what is in use."""

from collections.abc import Iterable
from typing import ClassVar, cast

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from genai_tui.widgets.field import Part, content

_KEY_WIDTH = 12
WIDEST = 59
"""Letters of a tooltip that stands in one line of the help, also in 80 columns."""

_OTHERS = {
    "app.focus_next": "To the next panel",
    "app.focus_previous": "To the panel before",
    "screen.copy_text": "Copy what the mouse has selected",
    "cursor_up": "To the line above",
    "cursor_down": "To the line below",
    "first": "To the first line",
    "last": "To the last line",
    "page_up": "A page up",
    "page_down": "A page down",
    "select": "Choose this line",
    "scroll_up": "A line up",
    "scroll_down": "A line down",
    "scroll_home": "To the beginning",
    "scroll_end": "To the end",
}
"""What Textual's own bindings do, in words like ours; those that are not here have no use here."""


class HelpScreen(ModalScreen[None]):
    """Lists keys, those of the focused panel last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,question_mark,enter",
            "dismiss",
            "close",
            tooltip="Close the help",
            id="help.close",
        ),
    ]

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self._parts = parts

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as panel:
            panel.border_title = "keys"
            panel.border_subtitle = "esc closes"
            yield Static(content(*self._parts), markup=False)


def keys_of(screen: Screen[object], notes: Iterable[str]) -> list[Part]:
    """Every binding that holds on ``screen`` now, grouped by what it belongs to; then notes."""
    parts: list[Part] = []
    for title, bindings in _sections(screen):
        parts.append((f"{title}\n", "bold $text-primary"))
        for keys, binding in bindings:
            parts.append((f"  {keys:<{_KEY_WIDTH}}", "bold"))
            parts.append(f" {_words(binding)}\n")
        parts.append("\n")
    parts += [(f"{note}\n", "$text-muted") for note in notes]
    return parts


def _sections(screen: Screen[object]) -> list[tuple[str, list[tuple[str, Binding]]]]:
    found: dict[str, dict[str, list[ActiveBinding]]] = {}
    for active in screen.active_bindings.values():
        if active.binding.system or not _words(active.binding):
            continue
        actions = found.setdefault(_title(active, screen), {})
        actions.setdefault(active.binding.action, []).append(active)
    order = ["this screen", "everywhere"]
    titles = sorted(found, key=lambda title: order.index(title) if title in order else 0.5)
    return [
        (title, [_joined(screen, group) for group in found[title].values()]) for title in titles
    ]


def _words(binding: Binding) -> str:
    return binding.tooltip or _OTHERS.get(binding.action, "")


def _joined(screen: Screen[object], group: list[ActiveBinding]) -> tuple[str, Binding]:
    """All keys of one action."""
    app = cast(App[object], screen.app)
    keys = dict.fromkeys(app.get_key_display(active.binding) for active in group)
    return " ".join(keys), group[0].binding


def _title(active: ActiveBinding, screen: Screen[object]) -> str:
    """What a key belongs to; Textual's own, such as tab, hold everywhere."""
    if isinstance(active.node, App) or active.binding.action.startswith(("app.focus", "screen.")):
        return "everywhere"
    if active.node is screen:
        return "this screen"
    title = getattr(active.node, "border_title", None)
    return str(title) if title else "focused panel"
