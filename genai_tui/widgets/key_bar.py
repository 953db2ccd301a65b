"""The line of keys at the bottom: one widget, drawn from the bindings that hold now."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, cast, runtime_checkable

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget


@runtime_checkable
class Idling(Protocol):
    """A screen some of whose keys have nothing to do at times: they answer, but are not offered."""

    @property
    def idle_actions(self) -> frozenset[str]: ...


@runtime_checkable
class Naming(Protocol):
    """A screen some of whose keys do something else at times: other names by action."""

    @property
    def names_now(self) -> Mapping[str, str]: ...


class KeyBar(Widget):
    """As many keys as there is room for. The last places are kept for the way back, and for the
    help that has them all."""

    ALLOW_SELECT = False
    LAST = "help"
    BACK = frozenset({"q", "escape"})

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, str]] = []
        self._drawn: list[Binding] = []

    def on_mount(self) -> None:
        changed = cast(Signal[Screen[object]], self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType]
        changed.subscribe(self, self._bindings_updated)
        self.watch(self.app, "traffic", self._traffic_changed, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    def _bindings_updated(self, screen: Screen[object]) -> None:
        if screen is self.screen and self._shown() != self._drawn:
            self.refresh()

    def _traffic_changed(self) -> None:
        self.refresh()

    def render(self) -> Content:
        shown = self._drawn = self._shown()
        traffic = str(getattr(self.app, "traffic", ""))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
        kept = sorted(filter(self._is_kept, shown), key=lambda binding: binding.id == self.LAST)
        room = self.size.width - len(traffic) - sum(self._width(binding) for binding in kept)
        parts: list[Content] = []
        self._places = []
        for binding in [each for each in shown if not self._is_kept(each)] + kept:
            if not self._is_kept(binding):
                room -= self._width(binding)
                if room < 0:
                    continue
            start = self._places[-1][0] if self._places else 0
            self._places.append((start + self._width(binding), binding.key))
            parts.append(self._part(binding))
        keys = Content.assemble(*parts)
        if not traffic:
            return keys
        free = max(0, self.size.width - keys.cell_length)
        return keys + Content.styled(f"{traffic:>{free}}", "$footer-description-foreground")

    def on_click(self, event: events.Click) -> None:
        """A click on a key is the key."""
        for end, key in self._places:
            if event.x < end:
                self._studio.simulate_key(key)
                return

    @property
    def _studio(self) -> App[object]:
        return cast(App[object], self.app)

    def _shown(self) -> list[Binding]:
        seen: dict[str, Binding] = {}
        screen = self.screen
        idle = screen.idle_actions if isinstance(screen, Idling) else frozenset[str]()
        names = screen.names_now if isinstance(screen, Naming) else dict[str, str]()
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and enabled and binding.action not in idle:
                name = names.get(binding.action)
                named = replace(binding, description=name) if name else binding
                seen.setdefault(binding.action, named)
        return list(seen.values())

    def _is_kept(self, binding: Binding) -> bool:
        return binding.id == self.LAST or binding.key in self.BACK

    def _key(self, binding: Binding) -> str:
        return self._studio.get_key_display(binding)

    def _width(self, binding: Binding) -> int:
        return len(self._key(binding)) + len(binding.description) + 4

    def _part(self, binding: Binding) -> Content:
        return Content.assemble(
            (f" {self._key(binding)} ", "bold $footer-key-foreground"),
            (f"{binding.description}  ", "$footer-description-foreground"),
        )
