"""The part of the App that shows a newcomer around."""

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType

if TYPE_CHECKING:
    from genai_tui.widgets.tour import Tour

T = TypeVar("T")


class TouringApp(App[T]):
    """Its two keys are keys only while there are hints."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "full_stop", "tour(1)", "next hint", show=False, tooltip="The next hint", id="hint"
        ),
        Binding("comma", "tour(0)", "no hints", show=False, tooltip="No more hints", id="no_hints"),
    ]

    def show_hints(self) -> None:
        """Shows the first hint on the screen that is open."""
        from genai_tui.widgets.tour import Tour

        self.screen.mount(Tour())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "tour" or bool(self.screen.query("Tour"))

    def action_tour(self, by: int) -> None:
        from genai_tui.widgets.tour import Tour

        self._show_next(self.screen.query_one(Tour), by)

    def on_tour_done(self, event: "Tour.Done") -> None:
        self._show_next(event.tour, 1)

    def _show_next(self, tour: "Tour", by: int) -> None:
        from genai_tui.widgets.tour import HINTS, remember

        if by and tour.number + by < len(HINTS):
            tour.number += by
            return
        tour.remove()
        self.run_worker(remember, thread=True)
        self.refresh_bindings()
