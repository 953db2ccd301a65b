"""The scorecard: how often each fault was injected, what was lost, and how long that took."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

DOCS = Path(__file__).parents[2] / "docs/faults.md"


@dataclass(slots=True)
class Row:
    """One fault's outcome, summed over the tests that injected it."""

    row: int
    fault: str
    tried: int = 0
    lost: int = 0
    seconds: float = 0.0


def faults() -> dict[int, str]:
    """The fault of each row, as the documentation names it."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"\| *(\d+) *\|([^|]*)\|", line) for line in lines)
    return {int(match[1]): match[2].strip() for match in found if match}


class Scorecard:
    """What the tests of this session have reported."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._names = faults()

    def add(self, row: int, tried: int, lost: int, seconds: float) -> None:
        known = self._rows.setdefault(row, Row(row, self._names[row]))
        known.tried += tried
        known.lost += lost
        known.seconds += seconds

    def lines(self) -> Iterator[str]:
        """The table as text, in the order of the rows; nothing where no row was reported."""
        if not self._rows:
            return
        yield f"{'row':>3}  {'fault':<56}  {'tried':>7}  {'lost':>5}  {'seconds':>8}"
        for _, row in sorted(self._rows.items()):
            yield (
                f"{row.row:>3}  {row.fault[:56]:<56}  {row.tried:>7,}  {row.lost:>5,}  "
                f"{row.seconds:>8.1f}"
            )

    def write(self, path: Path) -> None:
        """The same as JSON: a list of objects with row, fault, tried, lost and seconds."""
        told = [asdict(row) for _, row in sorted(self._rows.items())]
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def entries(self) -> list[tuple[int, int, int, float]]:
        """The arguments of :meth:`add` that make the same card of an empty one."""
        return [(row.row, row.tried, row.lost, row.seconds) for row in self._rows.values()]


class Entry:
    """What a test reports to; the seconds are those since the test's own part began."""

    def __init__(self, card: Scorecard) -> None:
        self._card, self._since = card, time.monotonic()

    def __call__(self, *, row: int, tried: int, lost: int) -> None:
        """Adds to a row, and fails the test if anything was lost.

        Args:
            tried: how often the fault was injected.
            lost: how often what must hold did not.
        """
        now = time.monotonic()
        self._card.add(row, tried, lost, now - self._since)
        self._since = now
        assert tried > 0
        assert lost == 0


def counts(name: str, *, quick: int, full: int) -> pytest.MarkDecorator:
    """Runs a test ``quick`` times over by default and ``full`` times with ``-m faults_long``."""
    return pytest.mark.parametrize(name, [quick, long(full)])


def long(value: object) -> ParameterSet:
    """A parameter of tests that runs with ``-m faults_long`` alone."""
    return pytest.param(value, marks=pytest.mark.faults_long)
