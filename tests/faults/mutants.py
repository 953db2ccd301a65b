"""Takes one protection away at a time and looks whether the fault's test then fails.

``python tests/faults/mutants.py [ROW ...]`` copies the tree to a temporary folder, applies each
mutant of ``mutants/rowNN.toml`` by itself, runs its test, and says ``caught``, ``SURVIVED``,
``stale`` (the text to be replaced is not there exactly once) or ``broken`` (the test fails without
the mutant too). The exit status is 1 unless every mutant is caught.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPIED = ("genai_tui", "backends", "tests", "benchmarks", "docs", "pyproject.toml")
SECONDS = 600
"""A test that runs longer hangs, which is a way to fail."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One protection taken away: ``old`` becomes ``new``, and ``test`` must fail.

    Where two places protect against the same, ``also`` has file, old and new of the other.
    """

    row: int
    why: str
    file: str
    old: str
    new: str
    test: str
    also: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def edits(self) -> list[tuple[str, str, str]]:
        """Each file with the text that is there and the one that takes its place."""
        first = [(self.file, self.old, self.new)]
        return first + (
            [(self.also["file"], self.also["old"], self.also["new"])] if self.also else []
        )

    def is_stale(self, root: Path) -> bool:
        """Whether a text to be replaced is no longer there exactly once."""
        return any(_count(root / file, old) != 1 for file, old, _ in self.edits)


def _count(path: Path, text: str) -> int:
    return path.read_text(encoding="utf-8").count(text) if path.is_file() else 0


def mutants(rows: list[int]) -> list[Mutant]:
    """Those of some rows, or of all."""
    found: list[Mutant] = []
    for path in sorted((HERE / "mutants").glob("row*.toml")):
        row = int(path.stem.removeprefix("row"))
        if not rows or row in rows:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
            found += [Mutant(row=row, **fields) for fields in told["mutant"]]
    return found


class Bench:
    """A copy of the tree, in which tests are run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self._sound: dict[str, bool] = {}

    def verdict(self, mutant: Mutant) -> str:
        if mutant.is_stale(self.root):
            return "stale"
        if not self._is_sound(mutant.test):
            return "broken"
        files = {file for file, _, _ in mutant.edits}
        kept = {file: (self.root / file).read_text(encoding="utf-8") for file in files}
        for file, old, new in mutant.edits:
            text = (self.root / file).read_text(encoding="utf-8")
            (self.root / file).write_text(text.replace(old, new), encoding="utf-8")
        try:
            return "SURVIVED" if self._passes(mutant.test) else "caught"
        finally:
            for file, text in kept.items():
                (self.root / file).write_text(text, encoding="utf-8")

    def _is_sound(self, test: str) -> bool:
        if test not in self._sound:
            self._sound[test] = self._passes(test)
        return self._sound[test]

    def _passes(self, test: str) -> bool:
        """Whether a test passes in the copy, and in the processes that it starts there."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",  # its stamps are too coarse for edits this quick
        }
        every = ["-m", ""] if "[" in test else []  # a count that is named may be the full one
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-x", test, *every, f"--basetemp={self.root / 'tmp'}"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._kill_what_is_left()
            process.wait()

    def _kill_what_is_left(self) -> None:
        mine = os.fsencode(self.root)
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                if mine in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser(description="Takes one protection away at a time.")
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="all if none is given")
    verdicts: list[str] = []
    with tempfile.TemporaryDirectory(prefix="genai-tui-mutants-") as folder:
        bench = Bench(Path(folder))
        for mutant in mutants(parser.parse_args().rows):
            begin = time.monotonic()
            verdict = bench.verdict(mutant)
            seconds = time.monotonic() - begin
            print(f"row {mutant.row:>2}  {verdict:<8}  {seconds:>5.1f} s  {mutant.why}", flush=True)
            verdicts.append(verdict)
    caught = verdicts.count("caught")
    print(f"{caught} of {len(verdicts)} caught")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
