"""Samples as they are seen: one page of tiles, one sample large, texts, or what differs. Pure but
for the files it reads; what is decoded for a page has a limit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
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
CURSOR_COLOUR = (255, 190, 60)


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
        count: how many samples there are on all pages.
        scale: the width of a pixel in cells; None is the largest whole factor.
        note: what the picture means where that is not plain, with its scale.
    """

    kind: str = ""
    of: int = 1
    first: int = 0
    count: int = 0
    picture: Picture | None = None
    scale: Fraction | None = None
    arrangement: GridLayout | None = None
    tile: tuple[int, int] = (0, 0)
    texts: Sequence[Sequence[Passage]] = ()
    note: str = ""
    told: Told = field(default_factory=Told)
    problem: str = ""

    @property
    def bytes(self) -> int:
        """What it takes of memory, about."""
        return 1000 if self.picture is None else self.picture.nbytes


def read_page(look: Look, room: Room) -> Page:
    """What ``look`` shows in a room; a page says itself why there is nothing to see."""
    files = sample_files.find(look.place.run, look.place.relative)
    told = sample_files.told(look.place.run, look.place.relative)
    other = _files(look.other) if look.other else None
    if files.texts:
        most = room.width * room.height if look.glance else MOST_CHARACTERS
        return _texts(files, told, look.tile, other, most)
    try:
        if look.tile is not None:
            return _large(files, told, look.tile, other if look.differs else None, room)
        if look.differs and other is not None:
            return _difference(files, told, look.page, other, room)
    except (PictureError, SoundError, ValueError) as error:
        return Page(files.kind, count=len(files.each), told=told, problem=str(error))
    return _all(files, told, look.page, room)


def framed(page: Page, number: int) -> Picture | None:
    """The page's picture with the gap around one of its samples coloured."""
    picture, arranged = page.picture, page.arrangement
    if picture is None or arranged is None or not 0 <= number - page.first < arranged.per_page:
        return picture
    at = number - page.first
    (width, height), (across, down) = page.tile, arranged.gap
    left = at % arranged.columns * (width + across)
    top = at // arranged.columns * (height + down)
    inside = picture[top : top + height, left : left + width].copy()
    picture = picture.copy()
    rows = slice(max(0, top - down), top + height + down)
    picture[rows, max(0, left - across) : left + width + across] = CURSOR_COLOUR
    picture[top : top + height, left : left + width] = inside
    return picture


def _files(place: Place) -> SampleFiles:
    return sample_files.find(place.run, place.relative)


# ---------------------------------------------------------------------------- many samples


def _all(files: SampleFiles, told: Told, page: int, room: Room) -> Page:
    """As many tiles as can be seen well, else the grid as it was drawn."""
    if files.pictures:
        try:
            return _tiles(files.kind, files.pictures, told, page, room)
        except (PictureError, ValueError):
            pass  # one tile is damaged or of another size: the grid shows what there was
    if files.grid is not None:
        try:
            picture = _reduced(load(files.grid), 1)
            return Page(files.kind, count=len(files.each), picture=picture, told=told)
        except PictureError as error:
            return Page(files.kind, told=told, problem=str(error))
    return Page(files.kind, told=told, problem=GONE)


def _tiles(kind: str, pictures: Sequence[Path], told: Told, page: int, room: Room) -> Page:
    first = load(pictures[0])
    height, width = first.shape[:2]
    arranged = layout(width, height, room.width, room.height, room.mode, len(pictures))
    page %= arranged.pages
    start = page * arranged.per_page
    shown = pictures[start : start + arranged.per_page]
    tiles = [_reduced(load(path), len(shown)) for path in shown]
    factor = Fraction(width, tiles[0].shape[1])  # more than 1 where tiles were reduced
    missing = math.ceil(len(tiles) / arranged.columns) * arranged.columns - len(tiles)
    tiles += [np.zeros_like(tiles[0])] * (missing if page else 0)
    gap = arranged.gap if factor == 1 else (1, 1)
    return Page(
        kind,
        of=arranged.pages,
        first=start,
        count=len(pictures),
        picture=compose(tiles, arranged.columns, gap),
        scale=arranged.scale if factor == 1 else None,
        arrangement=arranged if factor == 1 else None,
        tile=(width, height),
        told=told,
    )


def _difference(
    files: SampleFiles, told: Told, number: int, other: SampleFiles, room: Room
) -> Page:
    """A page of tiles, of which each shows where it differs from the same one of the others."""
    page = _tiles(files.kind, files.pictures, told, number, room) if files.pictures else None
    if page is None or page.picture is None or not other.pictures:
        raise ValueError("there are no pictures to compare")
    before = _tiles(files.kind, other.pictures, told, number, room)
    if before.picture is None or before.picture.shape != page.picture.shape:
        raise ValueError("these samples are of another size or number: they cannot be compared")
    found = heat(page.picture, before.picture)
    return Page(
        page.kind,
        page.of,
        page.first,
        page.count,
        found.picture,
        page.scale,
        page.arrangement,
        page.tile,
        note=found.scale,
        told=told,
    )


# ---------------------------------------------------------------------------- one sample


def _large(
    files: SampleFiles, told: Told, tile: int, other: SampleFiles | None, room: Room
) -> Page:
    if files.sounds and other is None:
        return _sound(files, told, tile, room)
    if not 0 <= tile < len(files.pictures):
        raise ValueError(f"there is no sample {tile + 1} at this step")
    picture, note = _reduced(load(files.pictures[tile]), 1), ""
    if other is not None:
        if tile >= len(other.pictures):
            raise ValueError("there is no such sample to compare with")
        found = heat(picture, _reduced(load(other.pictures[tile]), 1))
        picture, note = found.picture, found.scale
    size = f"{picture.shape[1]} x {picture.shape[0]}"
    return _alone(files, told, tile, picture, None, note or size)


def _sound(files: SampleFiles, told: Told, tile: int, room: Room) -> Page:
    if tile >= len(files.sounds):
        raise ValueError(f"there is no sample {tile + 1} at this step")
    sound = sounds.read(files.sounds[tile])
    fine = _PER_COLUMN[room.mode]
    picture = sounds.draw(sound, room.width * fine, 2 * room.height * fine)
    return _alone(files, told, tile, picture, Fraction(1, fine), sound.caption)


def _alone(
    files: SampleFiles,
    told: Told,
    tile: int,
    picture: Picture,
    scale: Fraction | None,
    note: str,
) -> Page:
    count = len(files.each)
    return Page(files.kind, count, tile, count, picture, scale, note=note, told=told)


# ---------------------------------------------------------------------------- texts


def _texts(
    files: SampleFiles, told: Told, tile: int | None, other: SampleFiles | None, room: int
) -> Page:
    """All texts or one of them, up to so many characters together."""
    chosen = range(len(files.texts)) if tile is None else [min(tile, len(files.texts) - 1)]
    before = other.texts if other is not None else []
    texts: list[list[Passage]] = []
    for index in chosen:
        text = sample_files.read_text(files.texts[index]).rstrip("\n")[: max(0, room)]
        room -= len(text)
        old = sample_files.read_text(before[index]).rstrip("\n") if index < len(before) else None
        texts.append([Passage(text)] if old is None else changes(old, text))
        if room <= 0:
            break
    count = len(files.texts)
    share = changed_share([one for text in texts for one in text])
    note = f"{share:.0%} changed" if before else ""
    of, first = (1, 0) if tile is None else (count, tile)
    return Page("text", of, first, count, texts=texts, note=note, told=told)


def _reduced(picture: Picture, of: int) -> Picture:
    """A picture by a whole factor smaller, if ``of`` such would be too much for a page."""
    height, width = picture.shape[:2]
    factor = math.ceil(math.sqrt(width * height * of / MOST_PIXELS))
    if factor <= 1:
        return picture
    return np.asarray(Image.fromarray(picture).reduce(min(factor, width, height)))
