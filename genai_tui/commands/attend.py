"""Shows a training until it ends or is left alone, and says where everything is."""

import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from genai_tui import progress
from genai_tui.commands.options import hint
from genai_tui.commands.output import document, is_terminal, put, width_of
from genai_tui.errors import UserError
from genai_tui.store import Run, Seen
from genai_tui.visible import visible


def attend(run: Run, as_json: bool) -> None:
    """Shows a training until it ends or Ctrl-C leaves it alone.

    Raises:
        UserError: it failed.
    """
    stream = sys.stderr if as_json else sys.stdout
    put(stream, f"{run.label} trains in {visible(str(run.path))}\n")
    with _listening() as left:
        state = progress.follow(run, _display(stream), left)
    if state is None:
        put(stream, how_to_come_back(run) + "\n")
        if as_json:
            document(described(run))
        return
    progress.wait_released(run)
    if as_json:
        document(described(run))
    _tell_end(run, state, stream)


@contextmanager
def _listening() -> Generator[Callable[[], bool]]:
    """Tells whether Ctrl-C was pressed. Python would raise an exception wherever it is just then,
    also where none can get out; a second one does that."""
    pressed: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def described(run: Run) -> dict[str, object]:
    """What ``--json`` says of a run that was started here."""
    spec, status = run.spec(), run.status()
    return {
        "id": run.id,
        "name": run.name,
        "path": str(run.path),
        "state": run.state(status),
        "model": spec.model,
        "dataset": spec.dataset,
        "seed": spec.seed,
        "device": spec.device,
        "step": status.step,
        "of": status.of,
        "loss": status.loss,
        "sample": str(run.path / status.sample) if status.sample else None,
        "checkpoint": checkpoint_path(run),
        "reason": status.reason,
    }


def how_to_come_back(run: Run) -> str:
    lines = [
        _without_us(run),
        f"  watch it  {hint('watch', run)}",
        f"  stop it   {hint('stop', run)}",
    ]
    return "\n".join(lines)


def _without_us(run: Run) -> str:
    status = run.status()
    if run.state(status) == "queued":
        return f"{run.label} is queued ({visible(status.waits)}) and will start by itself."
    return f"{run.label} trains on without this terminal."


def checkpoint_path(run: Run) -> str | None:
    """The folder of the newest checkpoint."""
    steps = run.checkpoint_steps()
    return str(run.path / "checkpoints" / f"step-{steps[-1]:06d}") if steps else None


def _tell_end(run: Run, state: Seen, stream: TextIO) -> None:
    status = run.status()
    if state not in ("finished", "stopped"):
        reason = f": {status.reason}" if status.reason else ""
        more = f"see {hint('logs', run)}"
        raise UserError(f"run {run.label} {state} at step {status.step:,}{reason}; {more}")
    lines = [
        f"{run.label} {state} at step {status.step:,}.",
        f"  samples     {visible(str(_grid(run.path / status.sample)))}" if status.sample else "",
        f"  checkpoint  {visible(checkpoint_path(run) or 'none')}",
        f"  run         {visible(str(run.path))}",
        f"  look at it  {hint('watch', run)}",
        f"  draw more   {hint('sample', run, '--out', 'FOLDER')}",
    ]
    put(stream, "\n".join(line for line in lines if line) + "\n")


def _grid(folder: Path) -> Path:
    """The picture of all samples where they are pictures, else their folder."""
    grid = folder / "grid.png"
    with suppress(OSError, ValueError):  # a name that no file can have
        return grid if grid.is_file() else folder
    return folder


def _display(stream: TextIO) -> progress.Display:
    if is_terminal(stream):
        return progress.InPlace(partial(put, stream), partial(width_of, stream))
    return progress.Plain(partial(put, stream))
