"""Runs the command line inside the test, or as a process of its own, and reads what it said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from genai_tui.cli import main
from genai_tui.store import Store

PROGRAM = [sys.executable, "-m", "genai_tui.cli"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def refused(self, *words: str, status: int = 2) -> None:
        """Asserts that it said no in one sentence, with these words in it, and nothing else."""
        assert (self.status, self.out) == (status, ""), self
        assert self.err.startswith("genai-tui: ")
        assert self.err.count("\n") == 1
        assert self.err.rstrip("\n").isprintable()
        assert all(word in self.err for word in words), self.err


Cli = Callable[..., Outcome]


def inside(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process, on ``store``."""

    def run(*words: str) -> Outcome:
        capsys.readouterr()
        status = main(["--runs", str(store.root), *words])
        said = capsys.readouterr()
        return Outcome(status, said.out, said.err)

    return run


def outside(
    *words: str, runs: Path, code: str = "", timeout: float = 120, **environ: str
) -> Outcome:
    """The command line, or some Python, as a process without a terminal."""
    command = [sys.executable, "-c", code] if code else PROGRAM
    done = subprocess.run(
        [*command, *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "GENAI_TUI_RUNS": str(runs), **environ},
        timeout=timeout,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def files(root: Path) -> dict[str, int]:
    """Every file below ``root`` with the time of its last change."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}
