"""Collects what the rows report, prints the scorecard, and writes it with ``--scorecard FILE``."""

from pathlib import Path

import pytest

from faults.disks import disk
from faults.plugin import faults
from faults.scorecard import Entry, Scorecard

__all__ = ["disk", "faults"]

_CARD = pytest.StashKey[Scorecard]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scorecard",
        metavar="FILE",
        help="write the scorecard of tests/faults as JSON; name tests/faults on the command line",
    )


def _card(config: pytest.Config) -> Scorecard:
    return config.stash.setdefault(_CARD, Scorecard())


@pytest.fixture
def scorecard(request: pytest.FixtureRequest) -> Entry:
    """Reports ``scorecard(row=7, tried=20, lost=0)``."""
    return Entry(_card(request.config))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = list(_card(config).lines())
    if lines:
        terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("scorecard", None)
    if path:
        _card(session.config).write(Path(path))
