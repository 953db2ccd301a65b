"""``export``: samples of a run as files to take away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genai_tui import playground, sample_files
from genai_tui.commands.options import AsJson, RunName, run_of
from genai_tui.commands.output import busy, document, say
from genai_tui.errors import MISUSE, UserError
from genai_tui.sample_files import Drawn
from genai_tui.store import Run
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.exports.samples import Subject, What

NAMED = 5
"""Results that are told where there is not the one that is wanted."""


def export(
    context: typer.Context,
    run: RunName,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH", help="A folder, or the name of the file to make.", show_default=False
        ),
    ],
    what: Annotated[
        Literal["png", "gif", "sheet", "wav", "jsonl"] | None,
        typer.Option(
            help="A picture, the progress, a contact sheet, sounds, texts.", show_default=False
        ),
    ] = None,
    step: Annotated[int | None, typer.Option(min=0, help="Of which step; else the newest.")] = None,
    played: Annotated[
        str | None,
        typer.Option(
            "--playground",
            metavar="ID",
            help="What was drawn in its playground: the name of its folder, or latest.",
        ),
    ] = None,
    tile: Annotated[
        int | None, typer.Option(min=1, help="One sample of the step, by its number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save samples that a training has drawn.

    Without --what pictures are saved as png, sounds as wav and texts as jsonl. A gif shows how all
    steps until --step went, or how a drawing of the playground came about. No file is ever
    overwritten.
    """
    found = run_of(context, run)
    if played is not None and step is not None:
        raise UserError("--step and --playground are two places: give one", status=MISUSE)
    drawn = _at(found, step) if played is None else _result(found, played)
    from genai_tui.exports import samples as exports

    subject = exports.Subject(found, drawn, None if tile is None else tile - 1)
    chosen = what or _usual(subject)
    with busy(f"exporting {chosen} of step {drawn.step:,}"):
        made = exports.export(chosen, [subject], out)
    if as_json:
        paths = [str(path) for path in made]
        head = {"id": found.id, "name": found.spec().name, "step": drawn.step}
        document({**head, "what": chosen, "files": paths})
        return
    for path in made:
        say(visible(str(path)))


def _at(run: Run, step: int | None) -> Drawn:
    """The samples of a step, those of the run's own schedule first."""
    there = sample_files.listing(run.path)
    if not there:
        raise UserError(f"run {run.label} has no samples yet", status=MISUSE)
    if step is None:
        return there[-1]
    for drawn in there:
        if drawn.step == step:
            return drawn
    known = ", ".join(f"{one.step:,}" for one in there[-20:])
    sentence = f"run {run.label} has no samples of step {step:,}; there are {known}"
    raise UserError(sentence, status=MISUSE)


def _result(run: Run, id: str) -> Drawn:
    """What was drawn in the playground of a run."""
    there = playground.results(run)
    if not there:
        raise UserError(f"nothing was drawn in the playground of {run.label}", status=MISUSE)
    for result in there:
        if id in (result.id, "latest"):
            return result.drawn
    known = ", ".join(result.id for result in there[:NAMED])
    sentence = f"the playground of {run.label} has no {visible(id)}; the newest are {known}"
    raise UserError(sentence, status=MISUSE)


def _usual(subject: "Subject") -> "What":
    match subject.files.kind:
        case "audio":
            return "wav"
        case "text":
            return "jsonl"
        case _:
            return "png"
