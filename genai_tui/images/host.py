"""An App whose frames may end in pictures: sixels go over the cells that they stand on."""

from collections.abc import Callable
from typing import TypeVar

from textual.app import App
from textual.reactive import Reactive

T = TypeVar("T")


class PictureHost(App[T]):
    """Writes what lies over a frame right after it, inside the same synchronized update.

    It stands on one private name of Textual: ``App._end_update``.
    """

    on_demand: Reactive[bool] = Reactive(False, repaint=False, init=False)
    """Whether a picture is drawn only when the user asks for it."""
    demand_key = "g"
    """What the user presses to ask."""

    _over: list[Callable[[], str]] | None = None

    def paint_over(self, paint: Callable[[], str]) -> None:
        """Has ``paint`` say what to write once the frame that is being written is complete."""
        if self._over is None:
            self._over = []
        self._over.append(paint)

    def _end_update(self) -> None:
        over, self._over = self._over, None
        commands = "".join(paint() for paint in over or ())
        if commands and self._driver is not None:
            self._driver.write(commands)
        super()._end_update()
