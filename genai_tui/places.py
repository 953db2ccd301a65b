"""The places of the studio: screens that one digit opens from anywhere.

A new place is one function that makes its screen, and one line in PLACES. Its module is imported
when it is first opened, so that the first paint of the list does not wait for it.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from textual.binding import Binding
from textual.screen import Screen

from genai_tui.feed import Feed
from genai_tui.settings import Settings
from genai_tui.store import Store

HOME = "runs"


class Studio(Protocol):
    """What places need of the App."""

    store: Store
    feed: Feed

    @property
    def settings(self) -> Settings: ...


class Place(Struct, frozen=True):
    """A screen of its own right. It leaves with ``self.dismiss()`` and goes back to what it hid."""

    key: str
    name: str
    tooltip: str
    make: Callable[[Studio], Screen[None]]

    @property
    def mark(self) -> str:
        """The class that tells the place's screen from others on the stack."""
        return f"-place-{self.name}"

    @property
    def binding(self) -> Binding:
        return Binding(
            self.key,
            f"go('{self.name}')",
            self.name,
            show=False,
            tooltip=self.tooltip,
            id=f"go.{self.name}",
        )


def _runs(studio: Studio) -> Screen[None]:
    from genai_tui.screens.runs import RunsScreen

    return RunsScreen(studio.store, studio.feed)


def _gallery(studio: Studio) -> Screen[None]:
    from genai_tui.screens.gallery import GalleryScreen

    return GalleryScreen(studio.store, studio.feed)


def _settings(studio: Studio) -> Screen[None]:
    from genai_tui.screens.settings import SettingsScreen

    return SettingsScreen()


def _gpus(studio: Studio) -> Screen[None]:
    from genai_tui.screens.gpus import GpusScreen

    return GpusScreen(studio.store, studio.feed, sparing=studio.settings.low_bandwidth)


PLACES = (
    Place("1", HOME, "All runs", _runs),
    Place("2", "gallery", "Samples of all runs", _gallery),
    Place("3", "gpus", "GPUs, host and processes", _gpus),
    Place("4", "settings", "Theme, keys, pictures and the rest", _settings),
)
BY_NAME = {place.name: place for place in PLACES}
