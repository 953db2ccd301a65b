"""``export``: samples of a run as files to take away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genai_tui import playground, sample_files, stars
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
    starred: Annotated[
        bool, typer.Option("--starred", help="All that is starred, steps and single samples.")
    ] = False,
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
    _check_places(step=step is not None, playground=played is not None, starred=starred)
    if starred and tile is not None:
        raise UserError("--tile is of one step, --starred of many: give one", status=MISUSE)
    from genai_tui.exports import samples as exports

    if starred:
        subjects = [exports.Subject(found, *one) for one in _starred(found)]
    else:
        drawn = _at(found, step) if played is None else _result(found, played)
        subjects = [exports.Subject(found, drawn, None if tile is None else tile - 1)]
    chosen = what or _usual(subjects[0])
    with busy(f"exporting {chosen}"):
        made = exports.export(chosen, subjects, out)
    if as_json:
        paths = [str(path) for path in made]
        steps = {} if starred else {"step": subjects[0].drawn.step}
        head = {"id": found.id, "name": found.spec().name, **steps}
        document({**head, "what": chosen, "files": paths})
        return
    for path in made:
        say(visible(str(path)))


def _check_places(**given: bool) -> None:
    """At most one says what is exported."""
    wanted = [f"--{name}" for name, is_given in given.items() if is_given]
    if len(wanted) > 1:
        sentence = f"{' and '.join(wanted)} are {len(wanted)} places: give one"
        raise UserError(sentence, status=MISUSE)


def _starred(run: Run) -> list[tuple[Drawn, int | None]]:
    """What a user starred among the samples of a run and of its playground, step by step."""
    results = [result.drawn for result in playground.results(run)]
    there = {drawn.relative: drawn for drawn in [*sample_files.listing(run.path), *results]}
    named = [stars.samples_of(name) for name, kept in stars.read(run.path).items() if kept.starred]
    whole = {folder for folder, tile in named if tile is None}
    found = [
        (there[folder], tile)
        for folder, tile in named
        if folder in there and (tile is None or folder not in whole)
    ]
    if not found:
        sentence = f"nothing of run {run.label} is starred: * does it, in the studio"
        raise UserError(sentence, status=MISUSE)
    return sorted(found, key=_in_order)


def _in_order(one: tuple[Drawn, int | None]) -> tuple[int, str, int]:
    drawn, tile = one
    return drawn.step, drawn.relative, -1 if tile is None else tile


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
