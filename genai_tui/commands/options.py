"""What several verbs take: the run, ``--json``, and the options that hold for all of them."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer

from genai_tui import settings
from genai_tui.command_line import PROGRAM, in_store
from genai_tui.commands import completion
from genai_tui.store import Run, RunError, Store
from genai_tui.visible import visible

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of a run, a unique beginning of it, its name, its path, or: latest.",
        autocompletion=completion.runs,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that stand before the verb."""

    runs: str | None = None
    graphics: str | None = None
    low_bandwidth: bool = False


def globals_of(context: typer.Context) -> Globals:
    return cast("Globals", context.obj)


def store_of(context: typer.Context) -> Store:
    """The store that the command is about."""
    return Store(settings.runs_dir(globals_of(context).runs))


def run_of(context: typer.Context, reference: str) -> Run:
    """The run that the user means.

    Raises:
        RunError: there is none or there are several.
    """
    path = Path(reference).expanduser()
    if os.sep in reference and (path / "run.json").is_file():  # of whatever store
        return Run(path.absolute())
    return store_of(context).run(reference)


def hint(verb: str, run: Run, *more: str) -> str:
    """The command that does ``verb`` to a run, for the screen."""
    return visible(in_store(" ".join([PROGRAM, verb, word_for(run), *more]), run.path.parent))


def word_for(run: Run) -> str:
    """How a hint calls a run: its name where that means this run alone, else its id."""
    try:
        alone = Store(run.path.parent).run(run.label).id == run.id
    except RunError:
        alone = False
    return shlex.quote(run.label) if alone else run.id
