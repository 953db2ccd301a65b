"""The part of the App that opens places, and knows the way home."""

from typing import ClassVar, TypeVar, cast

from textual.binding import BindingType
from textual.screen import Screen

from genai_tui.feed import Feed
from genai_tui.places import BY_NAME, HOME, PLACES, Studio
from genai_tui.preferring import PreferringApp
from genai_tui.screens.runs import RunsScreen
from genai_tui.store import Store

T = TypeVar("T")


class NavigatingApp(PreferringApp[T]):
    """On its stack of screens are the list of runs, what was opened from it, and at most one place
    over another."""

    store: Store
    feed: Feed

    BINDINGS: ClassVar[list[BindingType]] = [place.binding for place in PLACES]

    def home(self) -> Screen[None]:
        """A new list of runs."""
        return BY_NAME[HOME].make(cast(Studio, self))

    def action_go(self, name: str) -> None:
        """Opens a place, or goes back to it; one that covers another place takes its stead."""
        if name == HOME:
            self.go_home()
            return
        place = BY_NAME[name]
        open_there = [screen.has_class(place.mark) for screen in self.screen_stack]
        if any(open_there):
            self.pop_down_to(open_there.index(True) + 1)
            return
        screen = place.make(cast(Studio, self))
        screen.add_class(place.mark)
        if any(self.screen.has_class(other.mark) for other in PLACES):
            self.switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]
        else:
            self.push_screen(screen)

    def go_home(self) -> None:
        """Back to the list of runs; there is none yet where the studio was opened on a run."""
        homes = [n for n, screen in enumerate(self.screen_stack) if isinstance(screen, RunsScreen)]
        self.pop_down_to(homes[-1] + 1 if homes else 2)
        if not homes:
            self.switch_screen(self.home())  # pyright: ignore[reportUnknownMemberType]

    def pop_down_to(self, count: int) -> None:
        """Closes all screens but so many."""
        while len(self.screen_stack) > count:
            self.pop_screen()
