"""The table of a bake-off: means over the seeds with their standard deviation."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.quality.results import Result

COLUMNS: Mapping[str, tuple[str, int]] = {
    "fd-classifier": ("fd-classifier", 2),
    "kid-classifier": ("kid-classifier", 2),
    "precision-classifier": ("precision", 2),
    "recall-classifier": ("recall", 2),
    "density-classifier": ("density", 2),
    "coverage-classifier": ("coverage", 2),
    "class_kl-classifier": ("class KL", 3),
    "cas": ("CAS", 3),
    "neighbour_ratio-classifier": ("NN ratio", 2),
    "authenticity-classifier": ("authenticity", 2),
}
"""Scores by key: heading and decimals. All are in the classifier's features; CAS has its own."""


def table(
    results: Sequence[Result], references: Mapping[str, Mapping[str, float]], order: Sequence[str]
) -> str:
    """Markdown: the references, then the entrants in ``order`` that have results."""
    headings = [heading for heading, _ in COLUMNS.values()]
    rows = [["", *headings, "CPU-s", "steps", "parameters", "images/CPU-s", "seeds"]]
    rows += [[name, *_scores([scores]), "", "", "", "", ""] for name, scores in references.items()]
    for name in order:
        own = [result for result in results if result.entrant == name]
        if own:
            rows.append([name, *_scores([result.scores for result in own]), *_costs(own)])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first of them the headings, as a table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def spread(values: Iterable[float | None], decimals: int) -> str:
    """ "4.70 ± 0.21", the mean and the standard deviation; "–" where there is no value."""
    found = [value for value in values if value is not None]
    if not found:
        return "–"
    mean = f"{statistics.fmean(found):.{decimals}f}"
    return f"{mean} ± {statistics.stdev(found):.{decimals}f}" if len(found) > 1 else mean


def _scores(several: Sequence[Mapping[str, float]]) -> list[str]:
    return [
        spread([scores.get(key) for scores in several], decimals)
        for key, (_, decimals) in COLUMNS.items()
    ]


def _costs(own: Sequence[Result]) -> list[str]:
    rate = statistics.fmean(r.count / max(r.draw_seconds, 1e-6) for r in own)
    return [
        spread([result.seconds for result in own], 0),
        f"{statistics.fmean(result.steps for result in own):,.0f}",
        f"{own[0].parameters:,}",
        f"{rate:,.0f}",
        str(len(own)),
    ]
