"""A terminal for tests: keeps a screen of cells, decodes Kitty graphics and sixels, can be seen.

It reads what an application writes (also wrapped for tmux) and answers two questions: which
character in which colours stands where, and what the screen would look like, pixel by pixel.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zlib
from base64 import b64decode
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Color = tuple[int, int, int]
PLACEHOLDER = "\U0010eeee"

# The protocol's own rule for its diacritics: combining marks above that never fuse with a letter,
# as of Unicode 6.0; later additions are left out.
_FUSING = {0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x309, 0x30A, 0x30B, 0x30C}
_FUSING |= {0x30F, 0x311, 0x313, 0x314, 0x342, 0x653, 0x654}
_LATER = [(0x898, 0x8FF), (0x9FE, 0x9FE), (0x1AB0, 0x1ACE), (0x1CF4, 0x1CF9), (0x1DE7, 0x1DFB)]
_LATER += [(0xA674, 0xA67B), (0xA69E, 0xA69F), (0xFE27, 0xFE2F), (0x10376, 0x1037A)]
_LATER += [(0x10A3A, 0x16FFF), (0x1E000, 0x1FFFF)]


def _diacritics() -> dict[str, int]:
    marks = (
        chr(c)
        for c in range(0x300, 0x20000)
        if unicodedata.category(chr(c)) == "Mn"
        and unicodedata.combining(chr(c)) == 230
        and unicodedata.bidirectional(chr(c)) == "NSM"
        and not unicodedata.decomposition(chr(c))
        and c not in _FUSING
        and not any(first <= c <= last for first, last in _LATER)
    )
    return {mark: number for number, mark in enumerate(marks)}


DIACRITICS = _diacritics()


def _glyphs() -> dict[str, int]:
    """Block characters as patterns of 2 x 4 subpixels, bit 0 the top left, row by row."""
    patterns = {" ": 0, "▀": 0x0F, "▄": 0xF0, "▌": 0x55, "▐": 0xAA, "█": 0xFF}
    patterns |= {"▘": 0x05, "▝": 0x0A, "▖": 0x50, "▗": 0xA0, "▚": 0xA5, "▞": 0x5A}
    patterns |= {"▛": 0x5F, "▜": 0xAF, "▙": 0xF5, "▟": 0xFA, "▂": 0xC0, "▆": 0xFC}
    patterns |= {"\U0001fb82": 0x03, "\U0001fb85": 0x3F}
    patterns |= {"\U0001fbe6": 0x14, "\U0001fbe7": 0x28}
    elsewhere = {*patterns.values(), 0x01, 0x02, 0x40, 0x80}
    octants = (pattern for pattern in range(256) if pattern not in elsewhere)
    return patterns | {chr(0x1CD00 + n): pattern for n, pattern in enumerate(octants)}


GLYPHS = _glyphs()


@dataclass
class Cell:
    char: str = " "
    marks: str = ""
    front: Color = (255, 255, 255)
    back: Color = (0, 0, 0)


@dataclass
class FakeTerminal:
    """Feed it what the application writes; then look at `cells`, `images` and `pixels`."""

    columns: int = 80
    rows: int = 24
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)  # by (row, column)
    images: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)  # columns, rows of an image
    transmissions: int = 0
    deletions: int = 0
    unwrapped: int = 0  # graphics commands that came without tmux's wrapping
    cell: tuple[int, int] = (4, 8)  # pixels, for sixels
    tiles: dict[tuple[int, int], NDArray[np.uint8]] = field(default_factory=dict)  # what they drew
    sixels: list[tuple[int, int, int, int]] = field(default_factory=list)  # y, x, height, width
    sixel_bytes: int = 0

    def __post_init__(self) -> None:
        self._rest = ""
        self._y = self._x = 0
        self._front: Color = (255, 255, 255)
        self._back: Color = (0, 0, 0)
        self._keys: dict[str, str] = {}
        self._payload = ""
        self._saved = 0, 0

    def feed(self, text: str) -> None:
        """Take output; a sequence that is not complete waits for the rest."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self._rest = text[at:]
                return
            self._token(match)
            at = match.end()

    def _token(self, match: re.Match[str]) -> None:
        kind, value = match.lastgroup, match[match.lastgroup or 0]
        if kind == "graphics":
            self.unwrapped += 1
            self._graphics(value)
        elif kind == "tmux":
            inner = _TOKEN.match(value.replace("\x1b\x1b", "\x1b"))
            assert inner is not None
            assert inner.lastgroup == "graphics", f"tmux passes on {value!r}"
            self._graphics(inner["graphics"])
        elif kind == "string" and (sixel := _SIXEL.fullmatch(match[0])):
            self.sixel_bytes += len(match[0])
            self._sixel(int(sixel["width"]), int(sixel["height"]), sixel["data"])
        elif kind == "escape" and value in "78":
            if value == "7":
                self._saved = self._y, self._x
            else:
                self._y, self._x = self._saved
        elif kind == "csi":
            self._control(value[-1], value[:-1])
        elif kind == "char":
            self._character(value)

    def _character(self, char: str) -> None:
        if char == "\r":
            self._x = 0
        elif char == "\n":
            self._y += 1
        elif char == "\b":
            self._x = max(0, self._x - 1)
        elif unicodedata.combining(char):
            self.cells[self._y, self._x - 1].marks += char
        elif char >= " ":
            self.cells[self._y, self._x] = Cell(char, "", self._front, self._back)
            self.tiles.pop((self._y, self._x), None)
            self._x += 1

    def _control(self, final: str, text: str) -> None:
        if text[:1] in ("?", ">", "<", "=") or text.endswith(("$", " ")):
            return
        numbers = [
            int(part) if part.isdecimal() else 0 for part in text.replace(":", ";").split(";")
        ]
        first = max(1, numbers[0])
        if final in "Hf":
            self._y, self._x = first - 1, max(1, (*numbers, 1, 1)[1]) - 1
        elif final == "d":
            self._y = first - 1
        elif final in "G`":
            self._x = first - 1
        elif final in "ABCD":
            down, right = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[final]
            self._y, self._x = self._y + down * first, self._x + right * first
        elif final in "KJX":
            self._erase(final, numbers[0])
        elif final == "m":
            self._colors(numbers)

    def _erase(self, kind: str, number: int) -> None:
        here = (self._y, self._x)
        if kind == "X":
            gone = {(self._y, self._x + n) for n in range(max(1, number))}
        elif kind == "K":
            line = [(self._y, x) for x in range(self.columns)]
            gone = {p for p in line if number == 2 or (p >= here if number == 0 else p <= here)}
        else:
            gone = {p for p in self.cells if number in (2, 3) or p >= here}
        for place in gone:
            self.cells[place] = Cell(back=self._back)
            self.tiles.pop(place, None)

    def _colors(self, numbers: list[int]) -> None:
        while numbers:
            code, *numbers = numbers
            if code == 0:
                self._front, self._back = (255, 255, 255), (0, 0, 0)
            elif code == 39:
                self._front = (255, 255, 255)
            elif code == 49:
                self._back = (0, 0, 0)
            elif code in (38, 48) and numbers[:1] == [2]:
                color = (numbers[1], numbers[2], numbers[3])
                self._front, self._back = (
                    (color, self._back) if code == 38 else (self._front, color)
                )
                numbers = numbers[4:]
            elif code in (38, 48) and numbers[:1] == [5]:
                numbers = numbers[2:]

    def _graphics(self, command: str) -> None:
        control, _, payload = command.partition(";")
        keys = dict(pair.split("=", 1) for pair in control.split(","))
        assert len(payload) <= 4096
        assert keys.get("q") == "2", "answers would be typed into the application"
        if keys.get("a") == "d":
            assert keys["d"] == "I", "only d=I frees the memory"
            self.images.pop(int(keys["i"]), None)
            self.spans.pop(int(keys["i"]), None)
            self.deletions += 1
            return
        self._keys = {**self._keys, **keys}
        self._payload += payload
        if keys.get("m", "0") == "0":
            self._complete()

    def _complete(self) -> None:
        keys, data = self._keys, b64decode(self._payload, validate=True)
        self._keys, self._payload = {}, ""
        assert (keys["a"], keys["U"]) == ("T", "1")
        if keys["f"] == "100":
            image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        else:
            assert (keys["f"], keys["o"]) == ("24", "z")
            flat = np.frombuffer(zlib.decompress(data), np.uint8)
            image = flat.reshape(int(keys["v"]), int(keys["s"]), 3)
        self.images[int(keys["i"])] = image
        self.spans[int(keys["i"])] = int(keys["c"]), int(keys["r"])
        self.transmissions += 1

    def _sixel(self, width: int, height: int, data: str) -> None:
        """Draw sixels at the cursor; every pixel of the raster has to be drawn, none outside."""
        pixels = np.full((-(-height // 6) * 6, width), -1)
        palette: dict[int, Color] = {}
        top = left = color = 0
        for part in _SIXEL_PARTS.finditer(data):
            if part["number"]:
                color = int(part["number"])
                if part["rgb"]:
                    red, green, blue = (round(int(n) * 2.55) for n in part["rgb"].split(";")[2:])
                    palette[color] = (red, green, blue)
            elif part["move"]:
                top, left = top + 6 * (part["move"] == "-"), 0
            else:
                count, bits = int(part["count"] or 1), ord(part["dots"]) - 63
                for row in (row for row in range(6) if bits >> row & 1):
                    pixels[top + row, left : left + count] = color
                left += count
                assert left <= width
        assert (pixels[:height] >= 0).all()
        assert (pixels[height:] < 0).all()
        table = np.array([palette.get(n, (0, 0, 0)) for n in range(max(palette) + 1)], np.uint8)
        self._lay(table[pixels[:height]])

    def _lay(self, image: NDArray[np.uint8]) -> None:
        wide, tall = self.cell
        rows, columns = image.shape[0] // tall, image.shape[1] // wide
        assert image.shape == (rows * tall, columns * wide, 3), "part of a cell stays as it was"
        assert self._y + rows < self.rows, "a terminal may scroll"
        self.sixels.append((self._y, self._x, rows, columns))
        for y in range(rows):
            for x in range(columns):
                tile = image[y * tall : (y + 1) * tall, x * wide : (x + 1) * wide]
                self.tiles[self._y + y, self._x + x] = tile

    def placeholders(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """Where on the screen (row, column) which image's part (id, row, column) stands."""
        found: dict[tuple[int, int], tuple[int, int, int]] = {}
        for (y, x), cell in sorted(self.cells.items()):
            if cell.char == PLACEHOLDER:
                red, green, blue = cell.front
                number = red << 16 | green << 8 | blue
                marks = [DIACRITICS[mark] for mark in cell.marks]
                left = found.get((y, x - 1), (0, 0, -1))
                follows = left[0] == number and (not marks or marks[0] == left[1])
                row = marks[0] if marks else left[1] if follows else 0
                column = marks[1] if len(marks) > 1 else left[2] + 1 if follows else 0
                found[y, x] = (number, row, column)
        return found

    def pixels(self, width: int = 2, height: int = 4) -> NDArray[np.uint8]:
        """The screen, with cells of `width` x `height` pixels (multiples of 2 x 4)."""
        screen = np.zeros((self.rows * height, self.columns * width, 3), np.uint8)
        parts = self.placeholders()
        for (y, x), cell in self.cells.items():
            if y < self.rows and x < self.columns:
                part = parts.get((y, x))
                tile = self._glyph(cell) if part is None else self._part(*part, width, height)
                tile = self.tiles.get((y, x), tile)
                tall, wide = height // tile.shape[0], width // tile.shape[1]
                tile = tile.repeat(tall, axis=0).repeat(wide, axis=1)
                screen[y * height : (y + 1) * height, x * width : (x + 1) * width] = tile
        return screen

    def _glyph(self, cell: Cell) -> NDArray[np.uint8]:
        pattern = GLYPHS.get(cell.char, 0)
        lit = np.array([pattern >> bit & 1 for bit in range(8)]).reshape(4, 2, 1)
        return np.where(lit, np.uint8(cell.front), np.uint8(cell.back)).astype(np.uint8)

    def _part(
        self, number: int, row: int, column: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """The pixels of an image under one of its cells: centred in its span, nearest pixel."""
        columns, rows = self.spans[number]
        image = self.images[number]
        zoom = min(columns * width / image.shape[1], rows * height / image.shape[0])
        left = (columns * width - image.shape[1] * zoom) / 2
        top = (rows * height - image.shape[0] * zoom) / 2
        ys = np.floor((np.arange(height) + row * height + 0.5 - top) / zoom).astype(int)
        xs = np.floor((np.arange(width) + column * width + 0.5 - left) / zoom).astype(int)
        inside = (ys >= 0)[:, None] & (ys < image.shape[0])[:, None]
        inside = inside & (xs >= 0) & (xs < image.shape[1])
        tile = image[np.clip(ys, 0, image.shape[0] - 1)][:, np.clip(xs, 0, image.shape[1] - 1)]
        return np.where(inside[:, :, None], tile, np.uint8(0)).astype(np.uint8)


_SIXEL = re.compile(
    r'\x1bP0;1;0q"1;1;(?P<width>\d+);(?P<height>\d+)(?P<data>[#$!\-;0-9?-~]*)\x1b\\'
)
_SIXEL_PARTS = re.compile(
    r"#(?P<number>\d+)(?P<rgb>;2;\d+;\d+;\d+)?|(?P<move>[$-])|(?:!(?P<count>\d+))?(?P<dots>[?-~])"
)
_TOKEN = re.compile(
    r"\x1b_G(?P<graphics>[^\x1b]*)\x1b\\"
    r"|\x1bPtmux;(?P<tmux>(?:\x1b\x1b|[^\x1b])*)\x1b\\"
    r"|\x1b[PX^_](?P<string>(?!tmux;)(?!G)[^\x1b]*)\x1b\\"
    r"|\x1b\](?P<title>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])"
    r"|\x1b(?P<escape>[ -/]*[0-OQ-WYZ`-~\\])"
    r"|(?P<char>[^\x1b])",
    re.DOTALL,
)
