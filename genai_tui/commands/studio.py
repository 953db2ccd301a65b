"""Opens the studio, which needs a terminal. Imports no typer: the bare command starts at once."""

import gc
import os
import sys
from typing import Literal, get_args

from genai_tui import settings
from genai_tui.command_line import in_store
from genai_tui.errors import MISUSE, UserError
from genai_tui.guard import guarded
from genai_tui.store import Run, Store

GraphicsMode = Literal["auto", "kitty", "sixel", "octant", "quadrant", "half", "ascii"]
VARIABLE = "GENAI_TUI_GRAPHICS"


def open_studio(
    runs: str | None,
    graphics: str | None,
    run: Run | str | None = None,
    *,
    low_bandwidth: bool = False,
) -> None:
    """The studio on the store ``runs``, or on one run or what names it.

    Raises:
        UserError: there is no terminal, no such run, or no such way of drawing pictures.
        SettingsError: the settings file cannot be used.
    """
    chosen = graphics_of(graphics)
    given = [run] if isinstance(run, Run) else []
    store = Store(settings.runs_dir(runs), given)
    run = store.run(run) if isinstance(run, str) else run
    if not has_terminal():
        instead = in_store(f"genai-tui show {run.id}" if run else "genai-tui runs", store.root)
        raise UserError(f"the studio needs a terminal; without one, use: {instead}", status=MISUSE)
    gc.disable()  # until the app is ready: a tenth of the imports' time would go there
    with guarded(sys.stdin.fileno()):
        from genai_tui.app import run_studio

        run_studio(store, open_run=run, graphics=chosen, low_bandwidth=low_bandwidth)


def has_terminal() -> bool:
    """Whether there is somebody to show screens to."""
    return is_page() or (sys.stdin.isatty() and sys.stdout.isatty())


def is_page() -> bool:
    """Whether textual-serve has started this for a page in a browser."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def graphics_of(asked: str | None) -> str:
    """The way of drawing pictures: ``asked``, else the environment's, else the settings'.

    Raises:
        UserError: there is no such way.
        SettingsError: the settings file cannot be used.
    """
    chosen = asked or os.environ.get(VARIABLE) or settings.load().graphics
    modes = get_args(GraphicsMode)
    if chosen not in modes:
        sentence = f"there is no way {chosen!r} of drawing pictures; there are {', '.join(modes)}"
        raise UserError(sentence, status=MISUSE)
    return chosen
