"""``logs``: what a run's keeper and worker printed, made safe line by line."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from genai_tui.commands.options import RunName, run_of
from genai_tui.commands.output import say, tell
from genai_tui.regular import opened
from genai_tui.store import LIVE, Run
from genai_tui.visible import visible

POLL_SECONDS = 0.1
CHUNK = 1 << 16


def logs(
    context: typer.Context,
    run: RunName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
) -> None:
    """Print what a run's worker has printed."""
    found = run_of(context, run)
    nothing = True
    for line in lines(found, follow):
        say(visible(line.rstrip("\r"), lines=True))
        nothing = False
    if nothing:
        tell(f"{found.label} has printed nothing")


def lines(run: Run, follow: bool) -> Iterator[str]:
    """The lines of a run's console, without their ends; ``follow`` waits for those to come."""
    offset, rest = 0, b""
    while True:
        live = follow and run.state() in LIVE  # asked first: what is printed before the end is read
        data, offset = _piece(run.console, offset)
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
        if data:
            continue
        if not live:
            break
        time.sleep(POLL_SECONDS)
    if rest:
        yield rest.decode(errors="replace")


def _piece(path: Path, offset: int) -> tuple[bytes, int]:
    """The next bytes of a file that may not be there yet, or may have been rotated."""
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
            file.seek(offset if offset <= size else 0)
            data = file.read(CHUNK)
            return data, file.tell()
    except FileNotFoundError:
        return b"", 0
