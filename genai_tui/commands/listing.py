"""``runs``: the table of all runs, the newest first."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size

from backends.records import number
from genai_tui import run_query
from genai_tui.commands.options import AsJson, store_of
from genai_tui.commands.output import document, is_terminal, painted, say, tell, width_of
from genai_tui.errors import MISUSE, UserError
from genai_tui.run_knobs import Knobs
from genai_tui.run_terms import Facts
from genai_tui.store import Seen, Store, Summary
from genai_tui.visible import visible
from genai_tui.widgets.run_columns import COLUMNS, Cell, Column, text_of

BARS = "▁▂▃▄▅▆▇█"
GAP = 2
UNBOUNDED = 10_000
CODES: dict[Seen, str] = {
    "starting": "36",
    "running": "32",
    "paused": "33",
    "interrupted": "33",
    "failed": "31",
    "broken": "31",
}


def runs(
    context: typer.Context,
    words: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="TERMS",
            help="Only runs that are meant, as in: model:gan loss<0.3 -tag:night",
        ),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Archived runs, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first.

    The terms of --filter are those of the studio. A word must occur in the name, model, data,
    state, tags or note. model:, data:, state:, tag:, name:, note:, id: and parent: look there
    alone; loss, step, rate, eta, created (an age, as in 2d, or a day) and knobs are compared by
    <, <=, >, >=, = and !=. A dash before a term negates it, "or" begins other terms, quotes
    keep spaces together.
    """
    store = store_of(context)
    found = chosen(store, words, every)
    if as_json:
        document([described(store, run) for run in found])
    elif not found and (words or store.runs()):
        say("No run is meant by that." if words else "All runs are archived; see: runs --all")
    elif not found:
        say(f"No runs in {visible(str(store.root))} yet. Start one with: genai-tui demo")
    else:
        for line in table(found, width_of(sys.stdout) if is_terminal(sys.stdout) else UNBOUNDED):
            say(line)
        for run in found:
            if run.error:
                tell(f"{visible(run.id)} is broken: {visible(run.error)}")


def chosen(store: Store, words: str, every: bool) -> list[Summary]:
    """The runs that the terms mean, without the archived ones unless ``every``.

    Raises:
        UserError: a term means nothing.
    """
    query = run_query.parse(words)
    if query.problems:
        raise UserError(query.problems[0], status=MISUSE)
    found = [run for run in store.summaries() if every or not run.archived]
    knobs = Knobs(store.root)
    if query.knobs:
        knobs.read(query.knobs, [run.id for run in found])
    facts = Facts(time.time(), knobs.value)
    return [run for run in found if query.holds(run, facts)]


def described(store: Store, run: Summary) -> dict[str, object]:
    """What ``--json`` says of a run."""
    status = run.status
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "phase": status.phase,
        "phase_done": status.phase_done,
        "phase_of": status.phase_of,
        "model": run.model,
        "dataset": run.dataset,
        "step": status.step,
        "of": status.of,
        "eta": status.eta,
        "steps_per_second": status.steps_per_second,
        "items_per_second": status.items_per_second,
        "loss": status.loss,
        "checkpoint": status.checkpoint,
        "restarts": status.restarts,
        "host": status.host,
        "reason": run.error or status.reason,
        "created": run.created,
        "tags": list(run.tags),
        "note": run.note,
        "archived": run.archived,
        "parent": run.parent or None,
        "parent_step": run.parent_step,
        "path": str(store.root / run.id),
    }


def table(found: Sequence[Summary], width: int) -> list[str]:
    """The lines of the table; the columns that matter least go until it fits."""
    now = time.time()
    texts = {column: _cells(column, found, width, now) for column in COLUMNS}
    shown = {column: [column.title, *cells] for column, cells in texts.items() if any(cells)}
    widths = {column: max(map(cell_len, cells)) for column, cells in shown.items()}
    while len(widths) > 1 and sum(widths.values()) + GAP * (len(widths) - 1) > width:
        del widths[min(widths, key=lambda column: column.matters)]
    titles, *lines = (_line(row, widths) for row in zip(*(shown[c] for c in widths), strict=True))
    first = next(iter(widths.values()))
    rows = [_coloured(line, run.state, first) for line, run in zip(lines, found, strict=True)]
    return [painted(titles, "2"), *rows]


def _cells(column: Column, found: Sequence[Summary], width: int, now: float) -> list[str]:
    if column.name == "bar":
        return [""] * len(found)
    most = UNBOUNDED if width == UNBOUNDED and column.name != "curve" else column.most
    return [text_of(column, Cell(run, most, now, sparkline)) for run in found]


def _line(row: Sequence[str], widths: dict[Column, int]) -> str:
    cells = (
        " " * (width - cell_len(text)) + text if column.right else set_cell_size(text, width)
        for text, (column, width) in zip(row, widths.items(), strict=True)
    )
    return (" " * GAP).join(cells).rstrip()


def _coloured(line: str, state: Seen, width: int) -> str:
    code = CODES.get(state)
    return painted(line[:width], code) + line[width:] if code else line


def sparkline(values: Sequence[float], width: int) -> str:
    """The course of the loss; the studio's own needs numpy, whose import takes longer than this."""
    step = max(1, -(-len(values) // width))
    points = [number(value) for value in values[::step]][:width]
    finite = [value for value in points if abs(value) < 1e300]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    return "".join(_bar(value, low, span) for value in points)


def _bar(value: float, low: float, span: float) -> str:
    if not abs(value) < 1e300:
        return "!"
    return BARS[round(7 * (value - low) / span) if span else 3]
