"""``share``: lets a group of the machine's users read a run."""

import shlex
from typing import Annotated

import typer

from genai_tui import sharing
from genai_tui.commands.options import RunName, run_of
from genai_tui.commands.output import say
from genai_tui.store import Run
from genai_tui.visible import visible


def share(
    context: typer.Context,
    run: RunName,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose users may read it, by name or number; else the folder's.",
            show_default=False,
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Its owner's alone again.")] = False,
) -> None:
    """Let others of this machine read a run; they can neither command nor change it.

    What its training makes later is shared, too; --undo shuts it while it trains.
    """
    found = run_of(context, run)
    if undo:
        followed = not sharing.unshare(found)
        say(f"{found.label} is yours alone")
        if followed:
            say("  who has its log open now can read on in it: to end that, too, share --undo once")
            say("  more when it has been stopped, and resume it then")
        return
    sharing.share(found, -1 if group is None else sharing.group_of(group))
    say_shared(found)


def say_shared(run: Run) -> None:
    """Says who may read a run, how they watch it, and what is in their way."""
    path = run.path.resolve()
    say(f"{run.label} can be read by the group {sharing.name_of(path.stat().st_gid)}")
    say(f"  they watch it  genai-tui watch {visible(shlex.quote(str(path)))}")
    shut = sharing.barrier(run)
    if shut is not None:
        word = visible(shlex.quote(str(shut)))
        say(f"  but they cannot pass through {word}: chmod o+x {word}")
