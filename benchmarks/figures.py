"""A figure, and the table of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        what: what was measured, with the conditions.
        value: the number in ``unit``; None if it could not be measured, then ``note`` says why.
        beside: the floor or peer measured in the same run, as text.
        target: what it must reach, as text; empty if nothing is promised.
        met: whether it does; None where there is no target.
    """

    what: str
    value: float | None
    unit: str
    beside: str = ""
    target: str = ""
    met: bool | None = None
    note: str = ""


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [("what", "measured", "beside it", "target", "")]
    rows += [_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    value = "not measured" if figure.value is None else f"{_number(figure.value)} {figure.unit}"
    verdict = {True: "met", False: "missed", None: ""}[figure.met]
    remark = "; ".join(part for part in (verdict, figure.note) if part)
    return figure.what, value, figure.beside, figure.target, remark


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
