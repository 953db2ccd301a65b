"""``watch``: the studio, opened on one run."""

from pathlib import Path
from typing import Annotated

import typer

from genai_tui.commands import completion
from genai_tui.commands.options import globals_of, store_of
from genai_tui.commands.studio import open_studio
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run, RunError, Store


def watch(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PATH",
            help="Id, unique beginning or name of a run, latest, or the path of a run's folder.",
            autocompletion=completion.runs,
        ),
    ] = "latest",
) -> None:
    """Open the studio on one run.

    A path opens a run of any store, such as one on a file system that is shared
    with the machine that trains.
    """
    found = find(store_of(context), run)
    chosen = globals_of(context)
    open_studio(str(found.path.parent), chosen.graphics, found, low_bandwidth=chosen.low_bandwidth)


def find(store: Store, reference: str) -> Run:
    """The run of that name in the store, else the run whose folder that is.

    Raises:
        RunError: it is neither.
    """
    path = Path(reference).expanduser()
    if (path / "run.json").is_file():
        return Run(path.absolute())
    try:
        return store.run(reference)
    except RunError:
        if not path.is_dir():
            raise
        sentence = f"{path} is not a run's folder: it has no run.json"
        raise UserError(sentence, status=MISUSE) from None
