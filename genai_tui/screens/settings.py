"""What the user prefers: every setting with its meaning, changed at once."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from genai_tui.images.detect import Graphics, next_way
from genai_tui.widgets.key_bar import KeyBar

_NAME_WIDTH = 14


class Studio(Protocol):
    """What this needs of the App."""

    theme: str
    graphics: Graphics

    @property
    def available_themes(self) -> Mapping[str, object]: ...


class SettingsScreen(Screen[None]):
    """One line a setting: left and right change it, escape goes back."""

    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "change(1)", "next value", tooltip="The next value", id="settings.next"),
        Binding(
            "left", "change(-1)", "value before", tooltip="The value before", id="settings.before"
        ),
        Binding("q,escape", "dismiss", "back", tooltip="Back to where you were", id="settings.q"),
    ]

    def compose(self) -> ComposeResult:
        rows = OptionList(id="rows", markup=False)
        rows.border_title = "settings"
        yield rows
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(OptionList).add_options(
            [Option(self._row("theme"), "theme"), Option(self._row("graphics"), "graphics")]
        )

    def action_change(self, by: int) -> None:
        rows = self.query_one(OptionList)
        name = rows.get_option_at_index(rows.highlighted or 0).id or ""
        if name == "theme":
            themes = sorted(self._studio.available_themes)
            self._studio.theme = themes[(themes.index(self._studio.theme) + by) % len(themes)]
        else:
            self._studio.graphics = next_way(self._studio.graphics)
        rows.replace_option_prompt(name, self._row(name))

    def _row(self, name: str) -> Content:
        value = self._studio.theme if name == "theme" else self._studio.graphics.status
        return Content.assemble(f"{name:<{_NAME_WIDTH}}", (value, "bold $text-primary"))

    @property
    def _studio(self) -> Studio:
        return cast("Studio", self.app)
