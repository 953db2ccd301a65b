"""Pictures that were drawn: tiles under a cursor, one tile alone, and how they came about."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.timer import Timer

from genai_tui.images.detect import Mode
from genai_tui.images.tonemap import PictureError, load
from genai_tui.images.view import ImageView
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.scene import Drawn, Look, Scene, scene

PLAY_SECONDS = 0.15
"""Between two pictures of a way that is played."""
Caption = Callable[[int], str]
"""What is said of a tile."""


def _key(key: str, action: str, name: str, tooltip: str, *, show: bool = False) -> Binding:
    id = f"gallery.{name.replace(' ', '-')}"
    return Binding(key, action, name, show=show, tooltip=tooltip, id=id)


class Gallery(Vertical, can_focus=True):
    """Shows one result, or the newest picture of a drawing that is under way."""

    class Loaded(Message):
        """A picture is ready."""

        def __init__(self, wanted: object, found: Scene) -> None:
            super().__init__()
            self.wanted = wanted
            self.found = found

    class NeighboursWanted(Message):
        """The user wants to see what lies near a tile."""

        def __init__(self, tile: int) -> None:
            super().__init__()
            self.tile = tile

    class SoundWanted(Message):
        """The user wants to hear a tile."""

        def __init__(self, sound: Path) -> None:
            super().__init__()
            self.sound = sound

    class PathWanted(Message):
        """The user wants to know where a tile is."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("w", "watch", "watch", "How the samples came about, or what they are", show=True),
        _key("n", "neighbours", "neighbours", "Draw samples near this one", show=True),
        _key("left", "point(-1)", "before", "The tile before; while watching, the moment before"),
        _key("right", "point(1)", "next", "The next tile; while watching, the next moment"),
        _key("up,k", "row(-1)", "row above", "The tile above"),
        _key("down,j", "row(1)", "row below", "The tile below"),
        _key("pageup", "page(-1)", "page before", "The page before"),
        _key("pagedown", "page(1)", "next page", "The next page"),
        _key("home", "end(0)", "first", "The first tile or moment"),
        _key("end", "end(1)", "last", "The last tile or moment"),
        _key("enter", "alone", "tile alone", "This tile alone, or all of them"),
        _key("space", "play", "play", "Play the way, or stop it"),
        _key("t", "raw", "raw", "The way as the network sees it, or as it will become"),
        _key("o", "sound", "sound", "Play the sound; again: silence", show=True),
        _key("y", "copy", "copy path", "Copy the path of this tile"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn = Drawn()
        self._look = Look()
        self._scene = Scene()
        self._caption: Caption = lambda tile: ""
        self._live: Path | None = None
        self._wanted: object = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield ImageView()
        yield Field(classes="nothing")

    def on_mount(self) -> None:
        entitle(self, "samples")
        self.watch(self.app, "graphics", self._load, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    # ------------------------------------------------------------------ what it shows

    @property
    def drawn(self) -> Drawn:
        return self._drawn

    @property
    def look(self) -> Look:
        return self._look

    def show(self, drawn: Drawn, caption: Caption) -> None:
        """Shows a result from its first tile on."""
        self._stop()
        self._drawn, self._caption, self._live = drawn, caption, None
        self._see(Look())

    def follow(self, picture: Path | None) -> None:
        """Shows the newest picture of a drawing under way; None says that there is none yet."""
        self._stop()
        self._drawn, self._live = Drawn(), picture
        self._look = Look()
        if picture is not None:
            self._load()

    def say(self, sentence: str) -> None:
        """Shows a sentence in place of pictures."""
        self._stop()
        self._drawn, self._live, self._wanted = Drawn(), None, None
        self._show_one(Scene(problem=sentence))

    def on_resize(self) -> None:
        self._load()

    def _see(self, look: Look) -> None:
        self._look = look
        self._load()
        self.refresh_bindings()

    def _load(self) -> None:
        self._entitle()
        room, view = self.content_size, self.query_one(ImageView)
        wanted = (self._drawn, self._live, self._look, room, view.shown_mode)
        if wanted == self._wanted or not room.area or not (self._drawn.tiles or self._live):
            return
        self._wanted = wanted
        self._read(*wanted)

    @work(thread=True, exclusive=True, group="gallery")
    def _read(self, drawn: Drawn, live: Path | None, look: Look, room: Size, mode: Mode) -> None:
        if live is not None:
            try:
                found = Scene(load(live))
            except PictureError:
                return  # a newer one is in its place
        else:
            found = scene(drawn, look, room.width, room.height, mode)
        wanted = (drawn, live, look, room, mode)
        self.post_message(self.Loaded(wanted, found))  # dropped if something else is wanted now

    def on_gallery_loaded(self, event: Loaded) -> None:
        event.stop()
        if event.wanted == self._wanted:
            self._show_one(event.found)

    def _show_one(self, found: Scene) -> None:
        self._scene = found
        view, nothing = self.query_one(ImageView), self.query_one(".nothing", Field)
        if found.picture is not None:
            view.show(found.picture, scale=found.scale)
        nothing.show(found.problem)
        view.display, nothing.display = found.picture is not None, found.picture is None
        self._entitle()

    def _entitle(self) -> None:
        drawn, look, parts = self._drawn, self._look, ["samples"]
        if self._live is not None:
            parts = ["on the way"]
        elif look.moment is not None:
            kind = "walk" if drawn.walk else "as the network sees it" if look.raw else "the way"
            parts = [f"{kind} · {look.moment + 1} of {drawn.moments}"]
        elif self._scene.pages > 1:
            parts.append(f"page {self._scene.page + 1} of {self._scene.pages}")
        told = self._caption(self._tile) if drawn.tiles else ""
        entitle(self, " · ".join(parts), told)

    @property
    def _tile(self) -> int:
        """The tile that the caption is about."""
        moment = self._look.moment
        return self._look.tile if moment is None or not self._drawn.walk else moment

    # ------------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("watch", "play"):
            return self._drawn.moments > 0
        if action == "neighbours":
            return self._drawn.latent
        if action == "sound":
            return bool(self._drawn.tiles) and self._drawn.sounds
        if action == "raw":
            return self._look.moment is not None and bool(self._drawn.seen)
        return bool(self._drawn.tiles) if action in ("alone", "copy") else True

    def action_point(self, by: int) -> None:
        self._stop()
        if self._look.moment is not None:
            self._go(self._look.moment + by)
        else:
            self._point(self._look.tile + by)

    def action_row(self, by: int) -> None:
        if self._look.moment is None:
            self._point(self._look.tile + by * (1 if self._look.alone else self._scene.columns))

    def action_page(self, by: int) -> None:
        if self._look.moment is None:
            self._point(self._look.tile + by * self._scene.per_page)

    def action_end(self, last: int) -> None:
        far = last * (max(len(self._drawn.tiles), self._drawn.moments) - 1)
        if self._look.moment is not None:
            self._go(far)
        else:
            self._point(far)

    def action_alone(self) -> None:
        self._see(replace(self._look, alone=not self._look.alone))

    def action_watch(self) -> None:
        """The way from its beginning, played; or back to what was drawn."""
        if self._look.moment is not None:
            self._stop()
            self._see(replace(self._look, moment=None))
        else:
            self._see(replace(self._look, moment=0))
            self._play()

    def action_play(self) -> None:
        if self._timer is not None:
            self._stop()
        else:
            at, last = self._look.moment, self._drawn.moments - 1
            self._see(replace(self._look, moment=0 if at is None or at >= last else at))
            self._play()

    def action_raw(self) -> None:
        self._see(replace(self._look, raw=not self._look.raw))

    def action_neighbours(self) -> None:
        self.post_message(self.NeighboursWanted(self._tile))

    def action_sound(self) -> None:
        self.post_message(self.SoundWanted(self._drawn.tiles[self._tile].with_suffix(".wav")))

    def action_copy(self) -> None:
        self.post_message(self.PathWanted(self._drawn.tiles[self._tile]))

    def _point(self, tile: int) -> None:
        if self._drawn.tiles:
            self._see(replace(self._look, tile=max(0, min(tile, len(self._drawn.tiles) - 1))))

    def _go(self, moment: int) -> None:
        self._see(replace(self._look, moment=max(0, min(moment, self._drawn.moments - 1))))

    def _play(self) -> None:
        self._timer = self.set_interval(PLAY_SECONDS, self._advance)

    def _advance(self) -> None:
        at = self._look.moment
        if at is None or at >= self._drawn.moments - 1:
            self._stop()
        else:
            self._go(at + 1)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
