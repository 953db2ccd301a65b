"""Which charts of a run are shown, and in which order: searched, hidden, pinned and moved."""

import re
import threading
from collections.abc import Sequence

from genai_tui import arrangement
from genai_tui.arrangement import Arrangement
from genai_tui.groups import Group


class Shelf:
    """The groups of a run, arranged as the user has left those of its model.

    `model` is empty until the run is known; nothing is remembered then.
    """

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.model = ""
        self.arrangement = Arrangement()
        self.shows_hidden = False
        self.pattern = re.compile("")
        self._writing = threading.Lock()

    def fill(self, groups: Sequence[Group]) -> None:
        """Takes the groups, the most telling first."""
        self.groups = {group.name: group for group in groups}

    def search(self, text: str) -> bool:
        """Shows what a regular expression is found in; False if it is none, which changes nothing.

        It is searched for in the names of groups and in the keys of their lines.
        """
        try:
            self.pattern = re.compile(text, re.IGNORECASE)
        except re.error:
            return False
        return True

    @property
    def names(self) -> list[str]:
        """What is neither hidden nor searched away, in the user's order."""
        hidden = () if self.shows_hidden else self.arrangement.hidden
        return [name for name in self._all if name not in hidden and self._is_found(name)]

    @property
    def hidden(self) -> int:
        """How many are hidden."""
        return sum(name in self.arrangement.hidden for name in self.groups)

    def move(self, name: str, by: int) -> Arrangement:
        """The arrangement with a chart moved so many places on among those that are shown."""
        return self.arrangement.move(self._all, self.names, name, by)

    def remember(self) -> None:
        """Writes the arrangement as it is by now, from any thread.

        Raises:
            OSError: it cannot be written.
        """
        with self._writing:
            if self.model:
                arrangement.save(self.model, self.arrangement)

    @property
    def _all(self) -> list[str]:
        return self.arrangement.arranged(list(self.groups))

    def _is_found(self, name: str) -> bool:
        return any(self.pattern.search(text) for text in (name, *self.groups[name].keys))
