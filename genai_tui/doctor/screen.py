"""The terminal: its size, its colours, its pictures, and what tmux passes on."""

import os
from collections.abc import Iterator, Mapping

from genai_tui.doctor.finding import Finding, ok, warn
from genai_tui.images.detect import Graphics

LEAST = 80, 24


def terminal(
    environ: Mapping[str, str], size: os.terminal_size | None, graphics: Graphics
) -> Iterator[Finding]:
    """What the studio will look like here."""
    if size is None:
        yield ok("terminal", "none: this is no terminal")
        return
    yield _size(size)
    yield _colours(environ)
    how = f"as {graphics.mode} ({graphics.why})"
    if graphics.hint:
        yield warn("pictures", how, graphics.hint)
    else:
        yield ok("pictures", how)


def _size(size: os.terminal_size) -> Finding:
    told = f"{size.columns} x {size.lines} cells"
    if size.columns >= LEAST[0] and size.lines >= LEAST[1]:
        return ok("terminal", told)
    return warn("terminal", told, f"make it {LEAST[0]} x {LEAST[1]} or larger")


def _colours(environ: Mapping[str, str]) -> Finding:
    term, depth = environ.get("TERM", ""), environ.get("COLORTERM", "")
    if environ.get("NO_COLOR"):
        return ok("colours", "off, as NO_COLOR asks")
    if depth in ("truecolor", "24bit") or term.endswith("-direct"):
        return ok("colours", "16 million")
    told = f"TERM={term or 'unset'} tells of no true colour"
    remedy = "export COLORTERM=truecolor if this terminal shows it; ssh: SendEnv COLORTERM"
    return warn("colours", told, remedy)
