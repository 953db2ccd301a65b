"""Where one stands among the sample steps of a run, and what one compares with. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

from genai_tui.sample_files import Drawn


class Moments:
    """The sample steps of a run and a place among them, which stays where it is as steps are added.

    Standing at the end means to follow it.
    """

    def __init__(self, relative: str = "") -> None:
        """Stands at the samples of that folder, once they are told; else at the newest."""
        self.drawn: Sequence[Drawn] = ()
        self.marked: Drawn | None = None
        self._relative = relative
        self._index = -1

    @property
    def index(self) -> int:
        """The place, from 0; -1 where there are no samples."""
        return self._index

    @property
    def now(self) -> Drawn | None:
        return self.drawn[self._index] if self.drawn else None

    @property
    def is_newest(self) -> bool:
        return self._index == len(self.drawn) - 1

    @property
    def reference(self) -> Drawn | None:
        """What the present samples are compared with: the marked ones, else those before them."""
        if self.marked is not None and self.marked != self.now:
            return self.marked
        return self.drawn[self._index - 1] if self._index > 0 else None

    def tell(self, drawn: Sequence[Drawn]) -> None:
        """These are all there are now, oldest first."""
        follows, wanted = self.is_newest, self._relative
        now = self.now
        self.drawn = drawn
        if self.marked not in drawn:
            self.marked = None
        if wanted and any(one.relative == wanted for one in drawn):
            self._index = next(i for i, one in enumerate(drawn) if one.relative == wanted)
        elif now is None or follows:
            self._index = len(drawn) - 1
        else:
            self._index = max(0, _last_until(drawn, now.step)) if drawn else -1
        self._relative = ""

    def scrub(self, by: int) -> bool:
        """Goes on by so many steps, no further than the ends; whether that is another place."""
        return self.go(self._index + by)

    def go(self, index: int) -> bool:
        """Goes to a place; whether it is another."""
        before, self._relative = self._index, ""
        self._index = max(0, min(index, len(self.drawn) - 1)) if self.drawn else -1
        return self._index != before

    def toggle_mark(self) -> None:
        """Marks the present samples, to be compared with; unmarks them if they are the ones."""
        self.marked = None if self.marked == self.now else self.now


def nearest(drawn: Sequence[Drawn], step: int) -> Drawn | None:
    """The samples of another run to see beside those of ``step``: the last not beyond it."""
    return drawn[max(0, _last_until(drawn, step))] if drawn else None


def _last_until(drawn: Sequence[Drawn], step: int) -> int:
    return bisect_right(drawn, step, key=lambda one: one.step) - 1
