"""The part of the App that follows the user's settings: a change of one has its effect at once."""

from typing import TypeVar

from textual.binding import Binding
from textual.dom import DOMNode
from textual.reactive import Reactive

from genai_tui.images.detect import Graphics, chosen, next_way
from genai_tui.images.host import PictureHost
from genai_tui.settings import Settings
from genai_tui.visible import visible

T = TypeVar("T")


class PreferringApp(PictureHost[T]):
    """An App with settings. Whoever draws otherwise after a change watches these two."""

    settings: Reactive[Settings] = Reactive(Settings, repaint=False, init=False)
    graphics: Reactive[Graphics] = Reactive(Graphics, repaint=False, init=False)
    """How pictures are drawn."""

    def __init__(self, settings: Settings | None, graphics: Graphics | None) -> None:
        super().__init__()
        self.animation_level = "none"
        self._found = graphics or Graphics()
        self._told_clashes: set[str] = set()
        self.set_reactive(PreferringApp.settings, settings or Settings())
        self.set_reactive(PreferringApp.graphics, self._found)

    def on_mount(self) -> None:
        self.set_keymap(dict(self.settings.keys))
        self._use_theme()

    def watch_settings(self, before: Settings, now: Settings) -> None:
        if now.theme != before.theme:
            self._use_theme()
        if now.keys != before.keys:
            self._told_clashes.clear()
            self.set_keymap(dict(now.keys))
        if now.graphics != before.graphics:
            self._use_graphics(now.graphics)

    def action_cycle_graphics(self) -> None:
        self.graphics = next_way(self.graphics)
        self.notify(visible(f"Pictures as {self.graphics.status}."), markup=False)

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Says once that two things were given one key: only one of them gets it."""
        names = sorted(binding.id or binding.description for binding in clashed_bindings)
        clash = visible(", ".join(names))
        if clash not in self._told_clashes:
            self._told_clashes.add(clash)
            sentence = f"The settings give a key twice: {clash} cannot be reached; 4 changes keys."
            self.notify(sentence, severity="warning", markup=False)

    def _use_theme(self) -> None:
        if self.settings.theme in self.available_themes:
            self.theme = self.settings.theme
        else:
            sentence = visible(f"There is no theme {self.settings.theme!r}.")
            self.notify(sentence, severity="warning", markup=False)

    def _use_graphics(self, way: str) -> None:
        if way == "auto" and self._found.why == "chosen":
            self.notify("The terminal is asked at the next start.", markup=False)
            return
        self.graphics = self._found if way == "auto" else chosen(self._found, way)
