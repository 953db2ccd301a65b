"""The part of the App that follows the user's settings: a change of one has its effect at once."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

from textual import events
from textual.binding import Binding
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.keys import format_key
from textual.reactive import Reactive

from genai_tui.images.detect import Graphics, chosen, next_way
from genai_tui.images.query import window_cell_size
from genai_tui.likeness import Ascii
from genai_tui.pacing import FRAME_SECONDS, PacedApp
from genai_tui.settings import Settings, SettingsError, save
from genai_tui.visible import visible

T = TypeVar("T")
WAY_SECONDS = 2.5
"""A notice that the next press of the key makes old."""


@runtime_checkable
class OnDemand(Protocol):
    """A picture that may wait to be asked for."""

    @property
    def is_withheld(self) -> bool: ...
    def demand(self) -> None: ...


class PreferringApp(PacedApp[T]):
    """An App with settings. Whoever draws otherwise after a change watches these two."""

    settings: Reactive[Settings] = Reactive(Settings, repaint=False, init=False)
    graphics: Reactive[Graphics] = Reactive(Graphics, repaint=False, init=False)
    """How pictures are drawn."""

    def __init__(self, settings: Settings | None, graphics: Graphics | None) -> None:
        super().__init__()
        self.animation_level = "none"
        self._found = graphics or Graphics()
        self._told_clashes: set[str] = set()
        self._ascii: Ascii | None = None
        self._legible: LineFilter | None = None
        self._writing = threading.Lock()
        self.set_reactive(PreferringApp.settings, settings or Settings())
        self.set_reactive(PreferringApp.graphics, self._found)

    def on_mount(self) -> None:
        self._use_keys()
        self._use_theme()
        self._use_line()
        self._use_letters()

    def watch_settings(self, before: Settings, now: Settings) -> None:
        if now.theme != before.theme:
            self._use_theme()
        if now.keys != before.keys:
            self._use_keys()
        if now.graphics != before.graphics:
            self._use_graphics(now.graphics)
        if now.unicode != before.unicode:
            self._use_letters()
        if (now.low_bandwidth, now.meter) != (before.low_bandwidth, before.meter):
            self._use_line()

    def action_cycle_graphics(self) -> None:
        if self._draw_demanded():
            return
        self.graphics = next_way(self.graphics)
        self._prefer_way(self.graphics.mode)
        way = visible(f"Pictures as {self.graphics.status}.")
        self.notify(way, markup=False, timeout=WAY_SECONDS)

    def _prefer_way(self, way: str) -> None:
        """The next start draws like that; back at what was found, the terminal is asked again."""
        asked = way == self._found.mode and self._found.why != "chosen"
        shown = self.graphics
        self.settings = replace(self.settings, graphics="auto" if asked else way)
        self.graphics = shown
        self.run_worker(self._remember_way, thread=True, group="way")

    def _remember_way(self) -> None:
        """Writes the last choice, from a thread."""
        with self._writing:
            way = self.settings.graphics
            try:
                save("graphics", None if way == "auto" else way)
            except SettingsError as error:
                sentence = visible(f"The way of drawing is not remembered: {error}")
                self.notify(sentence, severity="warning", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Cells are of another size where the window is as large but shows more of them."""
        cell = None if self.is_headless or self.is_web else window_cell_size()
        if cell is not None and self.graphics.cell not in (None, cell):
            self._found = replace(self._found, cell=cell)
            self.graphics = replace(self.graphics, cell=cell)

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Says once that two things were given one key: only one of them gets it."""
        names = sorted(binding.id or binding.description for binding in clashed_bindings)
        clash = visible(", ".join(names))
        if clash not in self._told_clashes:
            self._told_clashes.add(clash)
            sentence = f"The settings give a key twice: {clash} cannot be reached; 4 changes keys."
            self.notify(sentence, severity="warning", markup=False)

    def _draw_demanded(self) -> bool:
        """Draws what was kept back of the screen's pictures; whether there was any."""
        views = [view for view in self.screen.query("ImageView") if isinstance(view, OnDemand)]
        kept_back = [view for view in views if view.is_withheld and view.display]
        for view in kept_back:
            view.demand()
        return bool(kept_back)

    def _use_line(self) -> None:
        spared = self.settings.low_bandwidth
        self.pace(FRAME_SECONDS if spared else 0.0)
        self.on_demand = spared
        self.meter(spared or self.settings.meter)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = [*super().get_line_filters(), *([self._ascii] if self._ascii else [])]
        if self.console.color_system == "256":
            from genai_tui.legible import Legible  # most terminals have all colours

            self._legible = self._legible or Legible()
            filters.append(self._legible)
        return filters

    def _use_letters(self) -> None:
        """Draws in ASCII where the terminal has nothing else, or where the user wants it."""
        wish, had = self.settings.unicode, self._ascii
        plain = wish == "no" or (wish == "auto" and not self._found.unicode)
        self._ascii = Ascii() if plain else None
        if bool(had) == plain:
            return
        self._use_graphics("ascii" if plain else self.settings.graphics)
        self.refresh_css(animate=False)

    def _use_keys(self) -> None:
        self._told_clashes.clear()
        self.set_keymap(dict(self.settings.keys))
        self.demand_key = format_key(self.settings.keys.get("graphics", "g"))

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
