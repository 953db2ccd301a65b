"""Ten runs log at 50 Hz while keys come at 20 Hz: no key is missed and memory stays bounded.

``GENAI_TUI_STRESS_SECONDS`` says how long, ten minutes by default.
"""

import codecs
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from fake_terminal import FakeTerminal

from backends import records
from benchmarks import runs
from benchmarks.terminal import Terminal
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic

RUNS, LOG_HERTZ, KEY_HERTZ = 10, 50, 20
SECONDS = float(os.environ.get("GENAI_TUI_STRESS_SECONDS", "600"))
SIZE = 200, 60
MOST_MB, KEPT_MB, WARM_ROUNDS = 110, 10, 15
"""A round takes two seconds; what is loaded late is there after some."""
PATIENCE_SECONDS, AFTER_ESCAPE_SECONDS = 10.0, 0.3
ESCAPE = "\x1b"
AXIS = "┤"
"""Of a chart: until there is one, none can be maximised."""
LETTERS = "abcdefghijkmnoprstuvwxyz"


def train(root: str, ended: Event) -> None:
    """What ten workers write: a point of eight scalars 50 times a second, a status once."""
    found = [Run(path) for path in sorted(Path(root).iterdir()) if path.is_dir()]
    logs = [Log(run.records) for run in found]
    number, begin = 1000, time.monotonic()
    while not ended.wait(max(0.0, begin + (number - 1000) / LOG_HERTZ - time.monotonic())):
        number += 1
        for log in logs:
            log.append(runs.step(number, time.time()))
        if number % LOG_HERTZ == 0:
            for run in found:
                write_atomic(run.path / "status.json", records.encode(_status(number)))
    for log in logs:
        log.close()


def _status(step: int) -> records.Status:
    """Of a worker on another host, which nobody here can ask whether it lives."""
    return records.Status(
        state="running", step=step, of=10**6, host="elsewhere", heartbeat=time.time(), loss=0.5
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ten runs that train."""
    store = Store(tmp_path / "runs")
    for index in range(RUNS):
        identity = f"20260101-00000{index}-vae-conv-aaaa"
        runs.make(store, f"run-{index}", steps=1000, points=100, identity=identity)
    spawn = multiprocessing.get_context("spawn")
    ended = spawn.Event()
    writer = spawn.Process(target=train, args=(str(store.root), ended))
    writer.start()
    yield store
    ended.set()
    writer.join(10)


class Hands:
    """Types at 20 Hz, and looks at what the screen then shows."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.screen = FakeTerminal(*SIZE)
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    def press(self, *keys: str) -> None:
        for key in keys:
            self.terminal.send(key.encode())
            self._look(1 / KEY_HERTZ)
            if key == ESCAPE:  # or else it would be the beginning of a sequence
                self._look(AFTER_ESCAPE_SECONDS)

    def sees(self, text: str) -> bool:
        """Whether ``text`` is on the screen within a while."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if text in self.text:
                return True
            self._look(0.05)
        return False

    @property
    def text(self) -> str:
        rows = [""] * SIZE[1]
        for (y, _), cell in sorted(self.screen.cells.items()):
            rows[y] += cell.char
        return "\n".join(rows)

    def _look(self, seconds: float) -> None:
        self.terminal.listen(seconds)
        self.screen.feed(self._decode(self.terminal.output))
        self.terminal.forget()


def used(hands: Hands, noise: random.Random, seconds: float, least: int) -> tuple[int, float]:
    """Goes the same round for so long; how many rounds it were, and MB of memory then."""
    assert hands.sees("run-9"), hands.text
    begin, rounds = time.monotonic(), 0
    while time.monotonic() - begin < seconds or rounds < least:
        word = "".join(noise.choices(LETTERS, k=12))
        hands.press("/", *word)
        assert hands.sees(word), f"{word} in\n{hands.text}"
        hands.press(ESCAPE, "\r")
        assert hands.sees(AXIS), hands.text
        hands.press("l", "+", "-", "l", "f", "f", "\t", "\t", "q")
        assert hands.sees("new run"), hands.text
        rounds += 1
    return rounds, hands.terminal.memory()


@pytest.mark.long
def test_no_key_is_missed_and_memory_stays_bounded(store: Store) -> None:
    """Memory is held against that of a studio which is opened at the end: what was logged
    meanwhile takes room in both, and only what the first one has not let go of is more."""
    launcher = "from genai_tui.cli import main; main()"
    argv = [sys.executable, "-c", launcher, "--runs", str(store.root)]
    noise = random.Random(0)
    with Terminal(argv, columns=SIZE[0], rows=SIZE[1]) as terminal:
        rounds, late = used(Hands(terminal), noise, SECONDS, 0)
    with Terminal(argv, columns=SIZE[0], rows=SIZE[1]) as terminal:
        _, fresh = used(Hands(terminal), noise, 0, WARM_ROUNDS)
    print(f"{rounds} rounds: {late:.1f} MB, {fresh:.1f} MB of one that was opened then")
    assert rounds >= SECONDS / 20
    assert late <= MOST_MB
    assert late - fresh <= KEPT_MB
