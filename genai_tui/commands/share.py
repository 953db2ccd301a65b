"""``share``: lets a group of the machine's users read a run."""

import grp
from typing import Annotated

import typer

from genai_tui import sharing
from genai_tui.commands.options import RunName, run_of
from genai_tui.commands.output import say
from genai_tui.errors import MISUSE, UserError
from genai_tui.visible import visible


def share(
    context: typer.Context,
    run: RunName,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Whose users may read it; else the folder's.", show_default=False
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Its owner's alone again.")] = False,
) -> None:
    """Let others of this machine read a run; they can neither command nor change it.

    What is there now is shared: share it again for what a training has added.
    """
    found = run_of(context, run)
    if undo:
        sharing.unshare(found)
        say(f"{found.label} is yours alone")
        return
    count = sharing.share(found, _number(group))
    say(f"{count:,} files of {found.label} can be read by {_name(found.path.stat().st_gid)}")
    say(f"  they watch it  genai-tui watch {visible(str(found.path))}")


def _number(group: str | None) -> int:
    if group is None:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        sentence = f"there is no group {visible(group)!r} on this machine"
        raise UserError(sentence, status=MISUSE) from None


def _name(number: int) -> str:
    try:
        return f"the group {grp.getgrgid(number).gr_name}"
    except KeyError:
        return f"group {number}"
