"""``evaluate``: scores a checkpoint of a run against held-out data, beside any training."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from backends.records import Phase, Record, Score
from genai_tui import amounts, scores
from genai_tui.commands.options import AsJson, RunName, run_of
from genai_tui.commands.output import document, is_terminal, painted, put, say, width_of
from genai_tui.commands.sample import LARGEST_SEED, checkpoint_of
from genai_tui.progress import CLEAR_LINE
from genai_tui.table import cell, gap_of, widths_of
from genai_tui.visible import visible

UNBOUNDED = 10_000


def evaluate(
    context: typer.Context,
    run: RunName,
    step: Annotated[
        int | None, typer.Option(min=0, help="Of which checkpoint; else the newest.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=65536,
            help="Samples to draw; else as many as are held out, at most 1,000.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another draws others.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a checkpoint against held-out data.

    A worker of its own does it, so that a training goes on undisturbed, and writes
    what it finds into the run. Scores of different counts or features do not compare.
    """
    from genai_tui import evaluation

    found = run_of(context, run)
    chosen = checkpoint_of(found, step)
    try:
        told = evaluation.evaluate(found, chosen, count or 0, seed, _tell)
    finally:
        if is_terminal(sys.stderr):
            put(sys.stderr, CLEAR_LINE)
    if as_json:
        document({"id": found.id, "name": found.name, "step": chosen, "scores": told})
        return
    for line in table(told):
        say(line)
    say(painted("of real data: what as many pictures of the training data score", "2"))


def table(found: Sequence[Score]) -> list[str]:
    """Scores as lines that fit the terminal."""
    rows = [[visible(text) for text in row] for row in (scores.TITLES, *map(scores.texts, found))]
    room = width_of(sys.stdout) if is_terminal(sys.stdout) else UNBOUNDED
    widths = widths_of(rows, room)
    gap = " " * gap_of(len(widths), room)
    lines = [gap.join(map(cell, row, widths)).rstrip() for row in rows]
    return [painted(lines[0], "2"), *lines[1:]]


def _tell(record: Record) -> None:
    """Says on a terminal what is being done, over the last time."""
    if isinstance(record, Phase) and is_terminal(sys.stderr):
        phrase = amounts.phase(record.name, record.done, record.of)
        put(sys.stderr, f"{CLEAR_LINE}{visible(phrase)} …")
