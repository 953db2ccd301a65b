"""Samples as they are seen: one page of tiles, one sample large, texts, or what differs. Pure but
for the files it reads; what is decoded for a page has a limit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from genai_tui import sample_files, sounds
from genai_tui.differences import Passage, changed_share, changes, heat
from genai_tui.images.detect import Mode
from genai_tui.images.grid import GridLayout, compose, layout
from genai_tui.images.tonemap import Picture, PictureError, load
from genai_tui.sample_files import SampleFiles, Told
from genai_tui.sounds import SoundError

GONE = "these samples are no longer on disk"
MOST_PIXELS = 1 << 24
"""Pixels of a page: larger tiles are reduced as they are read."""
MOST_CHARACTERS = 1 << 18
"""Of all texts of a page together."""
_PER_COLUMN: dict[Mode, int] = {"kitty": 8, "octant": 2, "quadrant": 2, "half": 1, "ascii": 1}
"""Pixels that a column of the terminal can tell apart."""
CURSOR_COLOUR, STAR_COLOUR = (255, 190, 60), (86, 180, 233)


@dataclass(frozen=True, slots=True)
class Place:
    """The samples of one step: a run's folder, and theirs within it."""

    run: Path
    relative: str


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be seen.

    Attributes:
        tile: the number of one sample to see large; None is a page of all.
        other: samples to compare with; texts show what changed since.
        differs: pictures show where they differ from ``other``.
        glance: of texts no more than the room can show.
    """

    place: Place
    page: int = 0
    tile: int | None = None
    other: Place | None = None
    differs: bool = False
    glance: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """The cells there are, and how they show pictures."""

    width: int
    height: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Page:
    """A picture or texts, ready to be shown.

    Attributes:
        first: the number of its first sample, from 0.
        scale: the width of a pixel in cells; None is the largest whole factor.
        note: what the picture means where that is not plain, with its scale.
        each: one file a sample, of all pages.
    """

    kind: str = ""
    of: int = 1
    first: int = 0
    picture: Picture | None = None
    scale: Fraction | None = None
    arrangement: GridLayout | None = None
    tile: tuple[int, int] = (0, 0)
    texts: Sequence[Sequence[Passage]] = ()
    note: str = ""
    told: Told = field(default_factory=Told)
    each: Sequence[Path] = ()
    problem: str = ""

    @property
    def count(self) -> int:
        """How many samples there are on all pages."""
        return len(self.each)

    @property
    def bytes(self) -> int:
        """What it takes of memory, about."""
        return 1000 if self.picture is None else self.picture.nbytes


def read_page(look: Look, room: Room) -> Page:
    """What ``look`` shows in a room; a page says itself why there is nothing to see."""
    files = sample_files.find(look.place.run, look.place.relative)
    told = sample_files.told(look.place.run, look.place.relative)
    page = _read(look, room, files)
    return replace(page, kind=files.kind, told=told, each=files.each)


def _read(look: Look, room: Room, files: SampleFiles) -> Page:
    other = sample_files.find(look.other.run, look.other.relative) if look.other else None
    if files.texts:
        most = room.width * room.height if look.glance else MOST_CHARACTERS
        return _texts(files.texts, look.tile, other, most)
    compared = other if look.differs else None
    try:
        if look.tile is not None:
            return _large(files, look.tile, compared, room)
        if compared is not None:
            return _difference(files.pictures, look.page, compared.pictures, room)
    except (PictureError, SoundError, ValueError) as error:
        return Page(problem=str(error))
    return _all(files, look.page, room)


def framed(
    page: Page, picture: Picture, number: int, colour: tuple[int, int, int] = CURSOR_COLOUR
) -> Picture:
    """The page's picture with the gap around one of its samples coloured."""
    arranged = page.arrangement
    if arranged is None or not 0 <= number - page.first < arranged.per_page:
        return picture
    at = number - page.first
    (width, height), (across, down) = page.tile, arranged.gap
    left = at % arranged.columns * (width + across)
    top = at // arranged.columns * (height + down)
    inside = picture[top : top + height, left : left + width].copy()
    picture = picture.copy()
    rows = slice(max(0, top - down), top + height + down)
    picture[rows, max(0, left - across) : left + width + across] = colour
    picture[top : top + height, left : left + width] = inside
    return picture


def number_at(page: Page, x: int, y: int) -> int | None:
    """The number of the sample that has a pixel of the page's picture; None for a gap."""
    arranged, (width, height) = page.arrangement, page.tile
    if arranged is None:
        return None
    column, right = divmod(x, width + arranged.gap[0])
    row, down = divmod(y, height + arranged.gap[1])
    number = page.first + row * arranged.columns + column
    return number if right < width and down < height and number < page.count else None


# ---------------------------------------------------------------------------- many samples


def _all(files: SampleFiles, page: int, room: Room) -> Page:
    """As many tiles as can be seen well, else the grid as it was drawn."""
    if files.pictures:
        try:
            return _tiles(files.pictures, page, room)
        except (PictureError, ValueError):
            pass  # one tile is damaged or of another size: the grid shows what there was
    if files.grid is not None:
        try:
            return Page(picture=_reduced(load(files.grid), 1))
        except PictureError as error:
            return Page(problem=str(error))
    return Page(problem=GONE)


def _tiles(pictures: Sequence[Path], page: int, room: Room) -> Page:
    first = load(pictures[0])
    height, width = first.shape[:2]
    arranged = layout(width, height, room.width, room.height, room.mode, len(pictures))
    page %= arranged.pages
    start = page * arranged.per_page
    shown = pictures[start : start + arranged.per_page]
    tiles = [_reduced(load(path), len(shown)) for path in shown]
    missing = math.ceil(len(tiles) / arranged.columns) * arranged.columns - len(tiles)
    tiles += [np.zeros_like(tiles[0])] * (missing if page else 0)
    whole = tiles[0].shape == first.shape
    return Page(
        of=arranged.pages,
        first=start,
        picture=compose(tiles, arranged.columns, arranged.gap if whole else (1, 1)),
        scale=arranged.scale if whole else None,
        arrangement=arranged if whole else None,
        tile=(width, height),
    )


def _difference(pictures: Sequence[Path], number: int, others: Sequence[Path], room: Room) -> Page:
    """A page of tiles, of which each shows where it differs from the same one of the others."""
    if not pictures or not others:
        raise ValueError("there are no pictures to compare")
    page, before = _tiles(pictures, number, room), _tiles(others, number, room)
    if page.picture is None or before.picture is None or _shape(page) != _shape(before):
        raise ValueError("these samples are of another size or number: they cannot be compared")
    found = heat(page.picture, before.picture)
    return replace(page, picture=found.picture, note=found.scale)


def _shape(page: Page) -> tuple[int, ...]:
    return () if page.picture is None else page.picture.shape


# ---------------------------------------------------------------------------- one sample


def _large(files: SampleFiles, tile: int, other: SampleFiles | None, room: Room) -> Page:
    if files.sounds and other is None:
        return _sound(files.sounds, tile, room)
    picture = _reduced(load(_nth(files.pictures, tile)), 1)
    note = f"{picture.shape[1]} x {picture.shape[0]}"
    if other is not None:
        found = heat(picture, _reduced(load(_nth(other.pictures, tile)), 1))
        picture, note = found.picture, found.scale
    return Page(of=len(files.each), first=tile, picture=picture, note=note)


def _sound(paths: Sequence[Path], tile: int, room: Room) -> Page:
    sound = sounds.read(_nth(paths, tile))
    fine = _PER_COLUMN[room.mode]
    picture = sounds.draw(sound, room.width * fine, 2 * room.height * fine)
    scale = Fraction(1, fine)
    return Page(of=len(paths), first=tile, picture=picture, scale=scale, note=sound.caption)


def _nth(paths: Sequence[Path], tile: int) -> Path:
    if tile >= len(paths):
        raise ValueError(f"there is no sample {tile + 1} at this step")
    return paths[tile]


# ---------------------------------------------------------------------------- texts


def _texts(paths: Sequence[Path], tile: int | None, other: SampleFiles | None, room: int) -> Page:
    """All texts or one of them, up to so many characters together."""
    chosen = range(len(paths)) if tile is None else [min(tile, len(paths) - 1)]
    before = other.texts if other is not None else []
    texts: list[list[Passage]] = []
    for index in chosen:
        text = _text(paths[index])[: max(0, room)]
        room -= len(text)
        known = index < len(before)
        texts.append(changes(_text(before[index]), text) if known else [Passage(text)])
        if room <= 0:
            break
    share = changed_share([passage for text in texts for passage in text])
    note = f"{share:.0%} changed" if before else ""
    of, first = (1, 0) if tile is None else (len(paths), chosen[0])
    return Page(of=of, first=first, texts=texts, note=note)


def _text(path: Path) -> str:
    return sample_files.read_text(path).rstrip("\n")


def _reduced(picture: Picture, of: int) -> Picture:
    """A picture by a whole factor smaller, if ``of`` such would be too much for a page."""
    height, width = picture.shape[:2]
    factor = math.ceil(math.sqrt(width * height * of / MOST_PIXELS))
    if factor <= 1:
        return picture
    return np.asarray(Image.fromarray(picture).reduce(min(factor, width, height)))
