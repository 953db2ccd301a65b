"""``delete``: removes a run from disk, after asking."""

import sys
from typing import Annotated

import typer

from genai_tui import amounts
from genai_tui.commands.options import RunName, run_of
from genai_tui.commands.output import put, say
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import LIVE, Run, RunError
from genai_tui.visible import visible


def delete(
    context: typer.Context,
    run: RunName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run with its records, samples and checkpoints."""
    found = run_of(context, run)
    label, size = found.label, amounts.size(found.size())
    if not yes and not _agreed(found, f"Delete {label} ({size} in {found.path})?"):
        say(f"{label} is kept.")
        return
    found.delete()
    say(f"{label} is deleted; {size} are free again.")


def _agreed(run: Run, question: str) -> bool:
    if not sys.stdin.isatty():
        sentence = "without a terminal nobody can be asked: say --yes to delete"
        raise UserError(sentence, status=MISUSE)
    _refuse_live(run)
    put(sys.stderr, f"{visible(question)} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _refuse_live(run: Run) -> None:
    try:
        live = run.state() in LIVE
    except RunError:  # a broken run can be deleted all the more
        return
    if live:
        sentence = f"run {run.label} is training: stop it before you delete it"
        raise UserError(sentence, status=MISUSE)
