"""Ten runs log at 50 Hz while keys come at 20 Hz: no key is missed and memory stays bounded.

``GENAI_TUI_STRESS_SECONDS`` says how long, ten minutes by default.
"""

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from backends import records
from benchmarks import runs
from benchmarks.terminal import Terminal
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic

RUNS, LOG_HERTZ, KEY_HERTZ = 10, 50, 20
SECONDS = float(os.environ.get("GENAI_TUI_STRESS_SECONDS", "600"))
MOST_MB, GROWTH_MB = 110, 25
PATIENCE_SECONDS = 10.0
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


@pytest.mark.long
def test_no_key_is_missed_and_memory_stays_bounded(store: Store) -> None:
    launcher = "from genai_tui.cli import main; main()"
    argv = [sys.executable, "-c", launcher, "--runs", str(store.root)]
    noise, rounds, early = random.Random(0), 0, 0.0
    with Terminal(argv, columns=200, rows=60) as terminal:
        assert terminal.wait(lambda text: "run-9" in text) is not None
        begin = time.monotonic()
        while time.monotonic() - begin < SECONDS:
            word = "".join(noise.choices(LETTERS, k=12))
            press(terminal, f"/{word}")
            assert terminal.wait(lambda text, word=word: word in text, PATIENCE_SECONDS), word
            press(terminal, "\x1b", "\x1b", "\r", "l", "+", "-", "l", "f", "f", "\t", "\t", "q")
            shown = terminal.wait(lambda text: "new run" in text, PATIENCE_SECONDS)
            assert shown is not None, terminal.text[-2000:]
            rounds += 1
            early = early or (terminal.memory() if rounds == 5 else 0.0)
        late = terminal.memory()
    assert rounds >= SECONDS / 10
    assert late <= MOST_MB
    assert late - early <= GROWTH_MB


def press(terminal: Terminal, *keys: str) -> None:
    """Keys at 20 Hz; what came before is forgotten."""
    terminal.forget()
    for key in "".join(keys):
        terminal.send(key.encode())
        terminal.listen(1 / KEY_HERTZ)
