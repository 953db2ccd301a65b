"""Which way of showing pictures this terminal can take, and what would make it better."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from genai_tui.images.query import (
    CellSize,
    Terminal,
    Tmux,
    ask_terminal,
    ask_tmux,
    window_cell_size,
)

Mode = Literal["kitty", "sixel", "octant", "quadrant", "half", "ascii"]
MODES: tuple[Mode, ...] = ("kitty", "sixel", "octant", "quadrant", "half", "ascii")
FallbackMode = Literal["octant", "quadrant", "half", "ascii"]
CELL_WAYS: tuple[FallbackMode, ...] = ("octant", "quadrant", "half", "ascii")
VARIABLE = "GENAI_TUI_GRAPHICS"

Version = tuple[int, ...]
# Since which version a terminal shows Unicode placeholders. Others answer the protocol's query,
# too, but would show the placeholders as text: WezTerm, Konsole, Warp.
_PIXELS: dict[str, Version] = {"kitty": (0, 28), "ghostty": (1, 0)}
# Ghostty up to 1.3.1 draws placeholders too narrow inside tmux (its issue 13056).
_PIXELS_IN_TMUX: dict[str, Version] = {"kitty": (0, 28), "ghostty": (1, 3, 2)}
_OCTANTS: dict[str, Version] = {"kitty": (0, 40), "ghostty": (1, 2), "foot": (1, 20)}
_NAME = re.compile(r"([A-Za-z]+)\W?(\d+(?:\.\d+)*)")
_SILENT_TERMS = ("dumb", "linux", "screen", "unknown", "")
_PLAIN_TERMS = ("dumb", "linux", "vt100", "vt102", "vt220")
"""TERMs of terminals that know no pixels and may print a question they do not understand."""
_FIRST_OCTANT = 0x1CD00
SIXEL_COLORS = 64
_FEWEST_COLORS = 16
"""With fewer registers sixels look worse than cells."""


@dataclass(frozen=True, slots=True)
class Graphics:
    """How pictures are shown, and why."""

    mode: Mode = "quadrant"
    cells: FallbackMode = "quadrant"
    """The cells that stand in where pixels cannot be shown; equals `mode` without pixels."""
    in_tmux: bool = False
    """Whether commands for the outer terminal must be wrapped for tmux to pass them on."""
    cell: CellSize | None = None
    """Pixels of a terminal cell, width and height, if known."""
    colors: int = SIXEL_COLORS
    """How many colours of its own a sixel picture may have."""
    why: str = "not asked"
    hint: str = ""
    """What the user could do for better pictures; empty if nothing."""
    typed: str = ""
    """Keys typed while the terminal was asked, for the app to replay."""
    unicode: bool = True
    """Whether more than ASCII can be shown: by the locale, tmux and the kind of terminal."""
    ways: tuple[Mode, ...] = ()
    """All that this terminal can show, best first; empty if there is nothing but cells."""

    @property
    def status(self) -> str:
        """How pictures are drawn, and why so."""
        return f"{self.mode} ({self.why})"


def next_way(graphics: Graphics) -> Graphics:
    """The next of the ways that the terminal can show, as the user's own choice."""
    ways = _ways(graphics)
    return chosen(graphics, ways[(ways.index(graphics.mode) + 1) % len(ways)])


def chosen(graphics: Graphics, name: str) -> Graphics:
    """What was found of the terminal, with pictures drawn in the way that the user wants."""
    mode = next(way for way in MODES if way == name)
    ways = _ways(graphics)
    ways = tuple(way for way in MODES if way in (mode, *ways))
    cells = next(way for way in (mode, *ways) if way in CELL_WAYS)
    why = f"your choice; the terminal can show {_listed(ways)}"
    return replace(graphics, mode=mode, cells=cells, why=why, ways=ways)


def _ways(graphics: Graphics) -> tuple[Mode, ...]:
    """What was found, and the cells that any terminal has."""
    if graphics.ways:
        return graphics.ways
    sure: tuple[Mode, ...] = ("ascii",) if graphics.mode == "ascii" else MODES[-3:]
    return tuple(way for way in MODES if way in (graphics.mode, graphics.cells, *sure))


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def detect(
    override: str | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = 1.0,
) -> Graphics:
    """Find out how this terminal shows pictures; call it before Textual takes the terminal.

    `override`, else the variable GENAI_TUI_GRAPHICS, names a mode and spares the questions; empty
    or "auto" asks. Takes at most about `timeout` seconds, which only a silent terminal needs, and
    never raises but ValueError for a name that is none.
    """
    environ = os.environ if environ is None else environ
    found = _detect(override, environ, timeout)
    return replace(found, unicode=found.unicode and _draws_unicode(environ))


def _detect(override: str | None, environ: Mapping[str, str], timeout: float) -> Graphics:
    wanted = override or environ.get(VARIABLE, "")
    if wanted not in ("", "auto"):
        return _chosen(wanted, environ)
    if not _speaks_utf8(environ):
        return Graphics(
            "ascii", "ascii", why="the locale is not UTF-8", hint="set LANG to a UTF-8 locale"
        )
    if not (_is_terminal(0) and _is_terminal(1)):
        return Graphics(why="no terminal to ask")
    if environ.get("TMUX"):
        return _through_tmux(ask_tmux(timeout))
    if environ.get("TERM", "").partition("-")[0].partition(".")[0] in _SILENT_TERMS:
        return _unasked(environ.get("TERM", ""))
    return _direct(ask_terminal(timeout), environ)


def _chosen(name: str, environ: Mapping[str, str]) -> Graphics:
    if name not in MODES:
        raise ValueError(
            f"Unknown graphics mode {name!r}: choose auto, {', '.join(MODES[:-1])} or {MODES[-1]}."
        )
    return Graphics(
        name,
        "quadrant" if name in ("kitty", "sixel") else name,
        # tmux may be on another machine, with ssh in between: then only TERM tells
        in_tmux=bool(environ.get("TMUX")) or environ.get("TERM", "").startswith("tmux"),
        cell=window_cell_size(),
        why="chosen",
    )


def _through_tmux(tmux: Tmux | None) -> Graphics:
    if tmux is None:
        return Graphics(in_tmux=True, why="tmux does not say what is around it")
    if not tmux.utf8:
        return Graphics(
            "ascii",
            "ascii",
            in_tmux=True,
            why="tmux runs without UTF-8",
            hint="start tmux with -u",
            unicode=False,
        )
    name, cells = _readable(tmux.name), _cells_for(tmux.name)
    found = Graphics(cells, cells, in_tmux=True, cell=tmux.cell, why=f"tmux in {name}")
    if not _is_in(_PIXELS_IN_TMUX, tmux.name):
        found = replace(found, why=f"tmux in {name or tmux.term or 'an unknown terminal'}")
        # tmux draws them itself; it lists the feature if the terminal around it has it
        return _with_sixel(found) if "sixel" in tmux.features else found
    if not tmux.passthrough:
        return replace(found, hint="for pixels: tmux set -g allow-passthrough on")
    if "RGB" not in (tmux.features or _features_of(tmux.term)):  # the id is a 24-bit colour
        return replace(found, hint="for pixels: tmux set -as terminal-features ',*:RGB'")
    hint = "" if tmux.focus else "to keep pixels after re-attaching: tmux set -g focus-events on"
    return replace(found, mode="kitty", hint=hint)


def _direct(terminal: Terminal, environ: Mapping[str, str]) -> Graphics:
    found = Graphics(typed=terminal.typed, cell=terminal.cell or window_cell_size())
    if not terminal.answered and not terminal.name:
        return replace(found, mode="half", cells="half", why="the terminal does not answer")
    name, cells = _readable(terminal.name), _cells_for(terminal.name)
    found = replace(found, mode=cells, cells=cells, why=name or environ.get("TERM", "a terminal"))
    if terminal.name.startswith("tmux"):
        return replace(
            found, in_tmux=True, hint=f"for pixels in kitty or Ghostty: {VARIABLE}=kitty"
        )
    if _is_in(_PIXELS, terminal.name):
        return replace(found, mode="kitty")
    return _with_sixel(found, terminal.registers) if terminal.sixel else found


def _with_sixel(found: Graphics, registers: int | None = None) -> Graphics:
    """The same terminal with sixels, which need to know where its cells are."""
    if found.cell is None:
        return replace(found, hint="its sixels cannot be used: it does not tell the size of a cell")
    if registers is not None and registers < _FEWEST_COLORS:
        return found
    colors = min(registers or SIXEL_COLORS, SIXEL_COLORS)
    return replace(found, mode="sixel", colors=colors)


def _unasked(term: str) -> Graphics:
    # the Linux console's fonts have half blocks at most; screen passes on what its terminal has
    mode = "quadrant" if term.startswith("screen") else "half"
    return Graphics(mode, mode, why=f"TERM is {term}" if term else "TERM is not set")


def _is_terminal(descriptor: int) -> bool:
    stream = sys.stdin if descriptor == 0 else sys.stdout
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # none, or closed
        return False


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    """By the locale; where none is set Python speaks UTF-8, and so do today's terminals."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "UTF-8"
    return "utf8" in locale.lower().replace("-", "")


def _draws_unicode(environ: Mapping[str, str]) -> bool:
    """Whether letters beyond ASCII arrive, and the terminal's font has lines and dots."""
    return _speaks_utf8(environ) and environ.get("TERM", "") not in _PLAIN_TERMS


def _features_of(term: str) -> frozenset[str]:
    """What a tmux too old to list a terminal's features may be trusted to know of it."""
    return frozenset({"RGB"} if term in ("xterm-kitty", "xterm-ghostty") else ())


def _cells_for(name: str) -> FallbackMode:
    return "octant" if _is_in(_OCTANTS, name) and _counts_octants() else "quadrant"


def _counts_octants() -> bool:
    """Whether this system's C library, which tmux lays out by, knows octants to be one column."""
    import ctypes  # slow to load, and most terminals have no octants

    try:
        return int(ctypes.CDLL(None).wcwidth(ctypes.c_wchar(chr(_FIRST_OCTANT)))) == 1
    except (OSError, AttributeError):
        return False


def _is_in(terminals: Mapping[str, Version], name: str) -> bool:
    match = _NAME.match(name)
    if match is None or (least := terminals.get(match[1].lower())) is None:
        return False
    return tuple(int(part) for part in match[2].split(".")) >= least


def _readable(name: str) -> str:
    """A terminal's name as it may be shown: it is whatever the terminal sent."""
    return "".join(c for c in name if c.isprintable())[:40]
