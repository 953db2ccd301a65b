"""Collects what the rows report, prints the scorecard, and writes it with ``--scorecard FILE``.

With ``pytest -n`` each process sends its rows to the one that prints. That one collects no test, so
that these hooks are imported by the outermost ``conftest.py``.
"""

from pathlib import Path
from typing import Any

import pytest

from faults.scorecard import Entry, Scorecard

_CARD = pytest.StashKey[Scorecard]()
_SENT = "faults"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scorecard", metavar="FILE", help="write the scorecard of tests/faults as JSON"
    )


def _card(config: pytest.Config) -> Scorecard:
    return config.stash.setdefault(_CARD, Scorecard())


@pytest.fixture
def scorecard(request: pytest.FixtureRequest) -> Entry:
    """Reports ``scorecard(row=7, tried=20, lost=0)``."""
    return Entry(_card(request.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process of ``pytest -n`` has ended."""
    for entry in getattr(node, "workeroutput", {}).get(_SENT, ()):
        _card(node.config).add(*entry)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = list(_card(config).lines())
    if lines:
        terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Sends the rows on, or writes them."""
    card, path = _card(session.config), session.config.getoption("scorecard")
    sent: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if sent is not None:
        sent[_SENT] = card.entries()
    elif path:
        card.write(Path(path))
