"""``tag``, ``note``, ``rename``, ``archive``: what a user writes on runs."""

from typing import Annotated

import typer

from genai_tui import annotations
from genai_tui.commands import completion
from genai_tui.commands.options import AsJson, RunName, run_of
from genai_tui.commands.output import document, say
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run
from genai_tui.visible import visible

RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Ids of runs, unique beginnings of them, names, or: latest.",
        autocompletion=completion.runs,
        show_default=False,
    ),
]


def tag(
    context: typer.Context,
    run: RunName,
    tags: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="+TAG|-TAG...", help="Tags to put on and to take off.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put tags on a run, take them off, or list them."""
    found, words = run_of(context, run), tags or []
    if "--help" in words:
        say(context.get_help())
        return
    as_json = as_json or "--json" in words
    words = [word for word in words if word != "--json"]
    if words:
        added = [_tag(word) for word in words if not word.startswith("-")]
        removed = [word[1:] for word in words if word.startswith("-")]
        known = found.annotation().tags
        _check_removed(found, removed)
        found.annotate(tags=annotations.with_tags(known, added, removed))
    _tell(found, as_json, " ".join(found.annotation().tags) or f"{found.label} has no tags")


def note(
    context: typer.Context,
    run: RunName,
    text: Annotated[
        str | None, typer.Argument(help="The note; empty takes it away.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a note on a run, or read it."""
    found = run_of(context, run)
    if text is not None:
        found.annotate(note=text.strip())
    _tell(found, as_json, found.annotation().note or f"{found.label} has no note")


def rename(
    context: typer.Context,
    run: RunName,
    name: Annotated[str, typer.Argument(help="The new name; empty for the first one.")],
    as_json: AsJson = False,
) -> None:
    """Call a run by another name; its folder and run.json stay as they are."""
    found = run_of(context, run)
    found.annotate(name=name)
    _tell(found, as_json, f"{visible(found.id)} is called {found.label}")


def archive(
    context: typer.Context,
    runs: RunNames,
    undo: Annotated[bool, typer.Option("--undo", help="Take them out again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put runs away: lists show them no more, and nothing of them is lost."""
    found = [run_of(context, run) for run in runs]
    for run in found:
        run.annotate(archived=not undo)
    if as_json:
        document([annotated(run) for run in found])
        return
    for run in found:
        say(f"{run.label} is {'listed again' if undo else 'archived'}")


def annotated(run: Run) -> dict[str, object]:
    """What ``--json`` says of a run that was written on."""
    written = run.annotation()
    return {
        "id": run.id,
        "name": run.name,
        "tags": list(written.tags),
        "note": written.note,
        "archived": written.archived,
    }


def _tell(run: Run, as_json: bool, sentence: str) -> None:
    if as_json:
        document(annotated(run))
    else:
        say(visible(sentence, lines=True))


def _tag(word: str) -> str:
    return word.removeprefix("+")


def _check_removed(run: Run, removed: list[str]) -> None:
    known = {tag.casefold() for tag in run.annotation().tags}
    for tag in removed:
        if tag.casefold() not in known:
            sentence = f"run {run.label} has no tag {visible(tag, limit=40)!r}"
            raise UserError(sentence, status=MISUSE)
