"""``compare``: what sets runs apart, and how far each has come."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from genai_tui import amounts, scores
from genai_tui.commands import completion
from genai_tui.commands.options import AsJson, store_of
from genai_tui.commands.output import document, is_terminal, painted, say, width_of
from genai_tui.errors import MISUSE
from genai_tui.store import Run, RunError
from genai_tui.table import cell, gap_of, widths_of
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.comparison import Knobs, Reading, Scalars
    from genai_tui.history import History

UNBOUNDED = 10_000
RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN RUN...",
        help="Two to eight runs: ids, unique beginnings of them, names, or: latest.",
        autocompletion=completion.runs,
        show_default=False,
    ),
]


def compare(
    context: typer.Context,
    runs: RunNames,
    everything: Annotated[
        bool, typer.Option("--all", help="Show knobs that are equal in all runs, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what differs between runs, and the last and the best value of each scalar."""
    from genai_tui import comparison  # numpy, which a refusal need not wait for

    store = store_of(context)
    found = list({run.id: run for run in map(store.run, runs)}.values())
    if not comparison.FEWEST <= len(found) <= comparison.MOST:
        sentence = f"compare takes {comparison.FEWEST} to {comparison.MOST} different runs"
        raise RunError(f"{sentence}, not {len(found)}", status=MISUSE)
    specs = [run.spec() for run in found]
    knobs = comparison.knobs(specs)
    scalars = comparison.scalars(specs, [history_of(run) for run in found])
    if as_json:
        document(described(found, knobs, scalars))
        return
    letters = comparison.LETTERS[: len(found)]
    for letter, run in zip(letters, found, strict=True):
        say(f"{painted(letter, '1')}  {run.label}  {painted(run.state(), '2')}  {run.id}")
    shown = [row for row in knobs if everything or row.differs]
    say()
    _print([["differs in" if not everything else "knob", *letters], *map(_knob_row, shown)])
    equal = len(knobs) - len(shown)
    if equal:
        say(painted(f"{equal} equal knobs are hidden; --all shows them", "2"))
    say()
    _print([["scalar", "", *letters], *(row for each in scalars for row in _scalar_rows(each))])
    scored = scores.side_by_side([scores.latest(scores.read(run)) for run in found])
    if scored:
        say()
        _print([["last score", *letters], *([visible(name), *texts] for name, texts in scored)])
    say(painted("* best of all, where it is known what is better and the runs learn the same", "2"))


def history_of(run: Run) -> "History":
    """All that a run has logged."""
    from genai_tui.history import History

    history, offset, more = History(), 0, True
    while more:
        chunk = run.read(offset)
        history.fold(chunk.records, chunk.damaged)
        offset, more = chunk.offset, chunk.more
    return history


def described(
    runs: Sequence[Run], knobs: "Sequence[Knobs]", scalars: "Sequence[Scalars]"
) -> dict[str, object]:
    """What ``--json`` says; values are by the run's id, and absent where a run has none."""
    ids = [run.id for run in runs]
    return {
        "runs": [
            {
                "id": run.id,
                "name": run.spec().name,
                "state": run.state(),
                "path": str(run.path),
                "scores": scores.latest(scores.read(run)),
            }
            for run in runs
        ],
        "differences": [
            {
                "section": row.section,
                "knob": row.name,
                "values": {ids[i]: value for i, value in row.values.items()},
            }
            for row in knobs
            if row.differs
        ],
        "scalars": [_described(ids, each) for each in scalars],
    }


def _described(ids: Sequence[str], each: "Scalars") -> dict[str, object]:
    def by_run(readings: "Sequence[Reading | None]") -> dict[str, object]:
        pairs = zip(ids, readings, strict=True)
        return {run: msgspec.to_builtins(r) for run, r in pairs if r is not None}

    return {
        "name": each.key,
        "comparable": each.comparable,
        "better": {"down": "lower", "up": "higher", None: None}[each.direction],
        "last": by_run(each.last),
        "best": by_run(each.best),
        "best_of_all": [ids[i] for i in sorted(each.leaders)],
    }


def _knob_row(row: "Knobs") -> list[str]:
    name = row.name if row.section == "run" else f"{row.section} {row.name}"
    return [visible(text) for text in (name, *row.texts())]


def _scalar_rows(each: "Scalars") -> list[list[str]]:
    """A line of last values, and one of best ones where it is known what is better."""
    rows = [[visible(each.key), "last", *_values(each.last, each.last_leaders)]]
    if each.direction is not None:
        rows.append(["", "best", *_values(each.best, each.leaders)])
    return rows


def _values(readings: "Sequence[Reading | None]", leaders: frozenset[int]) -> list[str]:
    return [
        amounts.value(r.value if r else None) + ("*" if i in leaders else "")
        for i, r in enumerate(readings)
    ]


def _print(rows: Sequence[Sequence[str]]) -> None:
    room = width_of(sys.stdout) if is_terminal(sys.stdout) else UNBOUNDED
    widths = widths_of(rows, room)
    gap = " " * gap_of(len(widths), room)
    for number, (name, *values) in enumerate(rows):
        cells = [cell(name, widths[0], name=True), *map(cell, values, widths[1:])]
        line = gap.join(cells).rstrip()
        say(line if number else painted(line, "2"))
