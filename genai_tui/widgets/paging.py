"""The keys that turn pages, the same in everything that scrolls by lines."""

from textual.binding import Binding, BindingType

PAGES: list[BindingType] = [
    Binding(
        "pagedown", "page_down", "page down", show=False, tooltip="A page down", id="move.page_down"
    ),
    Binding("pageup", "page_up", "page up", show=False, tooltip="A page up", id="move.page_up"),
]
