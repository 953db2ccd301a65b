"""The widget that shows a picture: as pixels where the terminal can, else as the best cells."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal, cast

import numpy as np
from rich.style import Style
from textual.app import App
from textual.geometry import Offset, Region
from textual.reactive import reactive
from textual.signal import Signal
from textual.strip import Strip
from textual.widget import Widget

from genai_tui.images import kitty
from genai_tui.images.detect import MODES, Graphics, Mode
from genai_tui.images.drawings import in_cells, in_placeholders, in_sixels
from genai_tui.images.host import PictureHost
from genai_tui.images.strips import Drawing, LazyStrip, centred
from genai_tui.images.tonemap import Picture, check

_ATTACHED = 0.3
"""Seconds after which a terminal that attaches to tmux is drawn: until then tmux drops pictures."""


class ImageView(Widget):
    """Shows one picture, centred, enlarged by whole factors, with a caption below it.

    In kitty mode the picture is sent when it is painted, once for each change of picture or size;
    in sixel mode what of it the frame has overwritten is painted over the frame.
    Cells stand in where pixels cannot be: in tests and exports, in a browser, and under a modal
    screen. Put a container around it for a border: with one of its own it is drawn, but slowly.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"image-view--caption"}
    DEFAULT_CSS = """
    ImageView {
        width: 1fr;
        height: 1fr;
        & > .image-view--caption { color: $text-muted; }
    }
    """

    mode: reactive[Mode | Literal["auto"]] = reactive[Mode | Literal["auto"]]("auto")
    """How to show pictures: one of detect.MODES, or "auto" for what `graphics` says."""

    def __init__(
        self,
        graphics: Graphics | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`graphics` is what `detect` found; by default the app's attribute of that name."""
        super().__init__(name=name, id=id, classes=classes)
        self._graphics = graphics
        self._picture: Picture | None = None
        self._caption = ""
        self._scale: Fraction | None = None
        self._version = 0  # of the picture
        self._demanded = 0  # the version that the user has asked for
        self._image_id = kitty.new_id()
        self._sent: tuple[int, int, int] | None = None  # version, columns, rows in the terminal
        self._drawing: Drawing | None = None
        self._rows: list[Strip] = []
        self._rows_are_of: tuple[object, ...] = ()

    def show(
        self, picture: Picture | None, caption: str = "", scale: Fraction | None = None
    ) -> None:
        """Show a picture (uint8 HxWx3, copied) or nothing; what is shown already costs nothing.

        `scale` is the width of a pixel in cells, as `grid.layout` returns it; by default the
        largest whole factor that fits. Raises PictureError for another shape or type.
        """
        if picture is not None:
            check(picture)
        same = _equal(picture, self._picture)
        caption = "".join(c if c.isprintable() else "\ufffd" for c in caption)
        if same and (caption, scale) == (self._caption, self._scale):
            return
        if not same:
            self._picture = None if picture is None else picture.copy()
            self._version += 1
        self._caption, self._scale = caption, scale
        self.refresh()

    def pixel_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The pixel of the picture in a cell of the widget, across and down; None beside it."""
        drawing, picture = self._drawing, self._picture
        if drawing is None or picture is None:
            return None
        used = min(self.size.height, drawing.rows + bool(self._caption))
        column = x - (self.size.width - drawing.columns) // 2
        row = y - (self.size.height - used) // 2
        if not (0 <= column < drawing.columns and 0 <= row < drawing.rows):
            return None
        height, width = picture.shape[:2]
        return (2 * column + 1) * width // (2 * drawing.columns), (
            (2 * row + 1) * height // (2 * drawing.rows)
        )

    def shows(self, picture: Picture) -> bool:
        """Whether this is the picture shown."""
        return _equal(picture, self._picture)

    @property
    def graphics(self) -> Graphics:
        """What the terminal can do, as `detect` found."""
        if self._graphics is not None:
            return self._graphics
        of_app: object = getattr(self._host, "graphics", None)
        return of_app if isinstance(of_app, Graphics) else Graphics()

    @property
    def shown_mode(self) -> Mode:
        """The mode in effect: pixels only where a real terminal is drawn on."""
        mode = self.graphics.mode if self.mode == "auto" else self.mode
        if mode not in ("kitty", "sixel"):
            return mode
        pixels = not (self._host.is_headless or self._host.is_web)
        if mode == "sixel":  # has to know where cells are
            pixels &= isinstance(self._host, PictureHost) and self.graphics.cell is not None
        return mode if pixels else self.graphics.cells

    @property
    def is_withheld(self) -> bool:
        """Whether the picture waits for the user to ask for it."""
        waits = bool(getattr(self._host, "on_demand", False)) and self._picture is not None
        return waits and self._demanded != self._version

    def demand(self) -> None:
        """Draw the picture, even where pictures are drawn on demand; the next one waits again."""
        self._demanded = self._version
        self.refresh()

    @property
    def status(self) -> str:
        """One phrase: how pictures are shown, why so, and what would make them better."""
        mode = self.shown_mode
        way = f"pixels ({mode})" if mode in ("kitty", "sixel") else f"{mode} cells"
        if self.mode != "auto":
            return way
        return " · ".join(part for part in (way, self.graphics.why, self.graphics.hint) if part)

    def budget(self, caption: bool = True) -> tuple[int, int]:
        """The columns and rows a picture may take, with or without a caption below it."""
        width, height = self.size
        return width, height - 1 if caption and height > 2 else height

    def resend(self) -> None:
        """Send the picture anew: a terminal that attached since does not have it."""
        self._sent = None
        self.refresh()

    def validate_mode(self, mode: str) -> str:
        if mode != "auto" and mode not in MODES:
            raise ValueError(f"Unknown mode {mode!r}: choose auto or one of {', '.join(MODES)}.")
        return mode

    def on_mount(self) -> None:
        self.watch(self._host, "app_focus", self._terminal_focused, init=False)
        self.watch(self._host, "graphics", self._way_changed, init=False)
        self.watch(self._host, "on_demand", self._way_changed, init=False)
        self._resumed.subscribe(self, self._terminal_resumed)

    def on_unmount(self) -> None:
        self._resumed.unsubscribe(self)  # which holds it, and its picture, until the next resume
        self._unsend()

    def render_lines(self, crop: Region) -> list[Strip]:
        if not self._is_plain():
            return super().render_lines(crop)
        blank = Strip.blank(self.size.width, self.visual_style.rich_style)
        rows = self._drawn_rows()
        strips = [rows[y] if y < len(rows) else blank for y in crop.line_range]
        background = self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        rows = self._drawn_rows()
        style = self.visual_style.rich_style
        return rows[y] if y < len(rows) else Strip.blank(self.size.width, style)

    def _is_plain(self) -> bool:
        """Whether rows reach the screen as drawn: Textual adds nothing around or over them."""
        styles = self.styles
        return not (
            styles.gutter
            or styles.tint.a
            or self.opacity < 1
            or styles.text_opacity < 1
            or styles.has_rule("hatch")
            or any(kind for kind, _ in styles.outline)
        )

    @property
    def _is_at_edge(self) -> bool:
        return self.content_region.right >= self._host.size.width

    def _drawn_rows(self) -> list[Strip]:
        """The widget's rows, drawn anew if anything they show has changed."""
        style = self.visual_style.rich_style
        shown = (self._version, self._caption, self._scale)
        way = (self.shown_mode, self.graphics, self.is_withheld)
        key = (*shown, self.size, *way, style, self._is_at_edge)
        if key != self._rows_are_of:
            self._rows_are_of = key
            self._drawing = self._draw(self.shown_mode)
            self._rows = self._lay_out(self._drawing, style)
        self._send()
        return self._rows

    def _draw(self, mode: Mode) -> Drawing | None:
        """The picture in its share of the widget; the cells are not fitted until needed."""
        picture, scale = self._picture, self._scale
        columns, rows = self.budget(bool(self._caption))
        if picture is None or columns < 1 or rows < 1 or self.is_withheld:
            return None
        room, matte = (columns, rows), self.background_colors[1].rgb
        if mode == "kitty":
            ends = self._is_at_edge and columns == self.size.width
            return in_placeholders(picture, room, scale, self.graphics, self._image_id, ends)
        if mode == "sixel":
            paint_over = cast(PictureHost[object], self.app).paint_over
            return in_sixels(picture, room, scale, self.graphics, matte, self._origin, paint_over)
        return in_cells(picture, room, scale, mode, matte)

    def _origin(self, columns: int, rows: int) -> Offset:
        """Where a drawing of that size begins on the screen; as `_lay_out` places it."""
        width, height = self.size
        used = rows + (1 if self._caption and rows < height else 0)
        inside = Offset((width - columns) // 2, (height - used) // 2)
        return self.content_region.offset + inside

    def _lay_out(self, drawing: Drawing | None, style: Style) -> list[Strip]:
        width, height = self.size
        blank = Strip.blank(width, style)
        words = style + self.get_component_rich_style("image-view--caption")
        rows: list[Strip] = []
        if drawing is not None:
            left = (width - drawing.columns) // 2
            rows = [LazyStrip(drawing, y, left, style, 0, width) for y in range(drawing.rows)]
        if self.is_withheld:
            rows.append(centred(self._offer(), width, words))
        if self._caption and len(rows) < height:
            rows.append(centred(self._caption, width, words))
        used = len(rows)
        top = (height - used) // 2
        return [*[blank] * top, *rows, *[blank] * (height - used - top)]

    def _offer(self) -> str:
        """What stands for a picture that is drawn on demand."""
        height, width = (0, 0) if self._picture is None else self._picture.shape[:2]
        return f"{width}x{height} pixels: {getattr(self._host, 'demand_key', '')} draws them"

    @property
    def _host(self) -> App[object]:
        return cast("App[object]", self.app)

    @property
    def _resumed(self) -> Signal[App[object]]:
        return cast("Signal[App[object]]", self._host.app_resume_signal)

    def _way_changed(self) -> None:
        self.refresh()

    def _terminal_resumed(self, app: App[object]) -> None:
        self.resend()  # leaving and entering the alternate screen has removed it

    def _terminal_focused(self, focused: bool) -> None:
        # another terminal may have attached to tmux; a picture sent directly is where it was
        shown = self._sent is not None or self.shown_mode == "sixel"
        if focused and self.graphics.in_tmux and shown:
            self.set_timer(_ATTACHED, self.resend)

    def _send(self) -> None:
        """Send the picture if the terminal lacks it: before the frame that shows placeholders."""
        drawing, picture = self._drawing, self._picture
        if drawing is None or drawing.image_id is None or picture is None:
            self._unsend()
            return
        wanted = (self._version, drawing.columns, drawing.rows)
        if self._sent != wanted:
            self._sent = wanted
            cell = self.graphics.cell or kitty.CELL
            tmux = self.graphics.in_tmux
            self._write(
                kitty.transmit(
                    picture, self._image_id, drawing.columns, drawing.rows, cell=cell, tmux=tmux
                )
            )

    def _unsend(self) -> None:
        if self._sent is not None:
            self._sent = None
            self._write(kitty.delete(self._image_id, tmux=self.graphics.in_tmux))

    def _write(self, commands: str) -> None:
        """One write to the queue that frames go through, so that neither lands in the other."""
        driver = self._host._driver  # pyright: ignore[reportPrivateUsage] - there is no public way
        if driver is not None:
            driver.write(commands)


def _equal(one: Picture | None, other: Picture | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
