"""The studio as its user meets it: start, memory, keys, traffic, freshness."""

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from backends import records
from benchmarks import runs
from benchmarks.figures import Figure
from benchmarks.terminal import Terminal
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic

MILLION = 100_000  # logged points of 10 scalars
PAIRS = 9
"""Of starts, each beside the minimal app's."""
BRAILLE = range(0x2801, 0x2900)


def measure(folder: Path) -> Iterator[Figure]:
    """Every figure of the studio; ``folder`` is scratch space."""
    yield from _start(folder / "hundred")
    store = Store(folder / "open")
    small = runs.make(store, "small-run", steps=2000, points=200, identity="20260101-000000-a")
    big = runs.make(
        store, "big-run", steps=1_000_000, points=MILLION, keys=10, identity="20260102-000000-b"
    )
    yield from _open(store, small, big)
    yield from _live(Store(folder / "live"))


def _studio(store: Store, *arguments: str) -> list[str]:
    launcher = "from genai_tui.cli import main; main()"
    return [sys.executable, "-c", launcher, "--runs", str(store.root), *arguments]


# --------------------------------------------------------------------------- start


def _start(folder: Path) -> Iterator[Figure]:
    store = runs.fill(folder, 100)
    minimal = [sys.executable, "-m", "benchmarks.minimal"]
    # both from bytecode, as where they are installed: the first pair writes it
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / ".bytecode")}
    pairs = [
        (
            _seconds(_studio(store), "run-0099", compiled),
            _seconds(minimal, "ready to be read", compiled),
        )
        for _ in range(PAIRS + 1)
    ][1:]
    ours, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    yield Figure(
        "start to useful screen, 100 runs",
        ratio,
        f"x a minimal Textual app ({ours:.2f} s)",
        f"minimal app {floor:.2f} s",
        "<= 1.5x",
        ratio <= 1.5,
    )


def _seconds(argv: list[str], text: str, environment: dict[str, str]) -> float:
    with Terminal(argv, environment=environment) as terminal:
        terminal.wait(lambda shown: text in shown)
        return time.perf_counter() - terminal.began


# --------------------------------------------------------------------------- opening runs


def _open(store: Store, small: Run, big: Run) -> Iterator[Figure]:
    with Terminal(_studio(store, "watch", small.id)) as terminal:
        terminal.wait(_has_chart)
        terminal.settle(0.5)
        memory, key_small = terminal.memory(), _key(terminal)
        idle = terminal.listen(5.0)
    yield Figure("memory of the studio, small run", memory, "MB", "", "<= 60 MB", memory <= 60)
    yield Figure("terminal traffic, finished run, idle", idle / 5, "B/s", "", "0", idle == 0)
    last = f"{_last(big):.4g}"[:5]
    with Terminal(_studio(store)) as terminal:
        terminal.wait(lambda text: "big-run" in text)
        terminal.settle(0.5)
        terminal.forget()
        opened = time.perf_counter()
        terminal.send(b"\r")
        first = terminal.wait(_has_chart) or float("inf")
        terminal.settle(0.7)
        complete = time.perf_counter() - opened - 0.7
        shown = last in terminal.text
        memory, key_big = terminal.memory(), _key(terminal)
    note = "" if shown else f"last value {last} was not seen"
    yield Figure("open 1M scalars: first chart", first, "s", "", "<= 0.5 s", first <= 0.5)
    yield Figure("open 1M scalars: complete", complete, "s", "", "<= 2 s", complete <= 2, note)
    yield Figure("memory of the studio, 1M scalars", memory, "MB", "", "<= 110 MB", memory <= 110)
    yield Figure(
        "key to redraw, 1M scalars",
        1000 * key_big,
        "ms",
        f"small run {1000 * key_small:.0f} ms",
        "<= 30 ms",
        key_big <= 0.03,
    )


def _has_chart(text: str) -> bool:
    return any(ord(character) in BRAILLE for character in text)


def _last(run: Run) -> float:
    data = run.records.read_bytes()[-8192:].split(b"\n")
    steps = [record for line in data if b'"step"' in line if (record := _record(line))]
    return records.number(steps[-1].values["loss"])


def _record(line: bytes) -> records.Step | None:
    from genai_tui.log import parse

    record = parse(line)
    return record if isinstance(record, records.Step) else None


def _key(terminal: Terminal) -> float:
    """Median seconds from a key (logarithmic y, there and back) to the last byte of the redraw."""
    times: list[float] = []
    for _ in range(10):
        terminal.forget()
        terminal.send(b"l")
        times.append(terminal.settle(0.12, 3.0))
    return statistics.median(times)


# --------------------------------------------------------------------------- live


def _live(store: Store) -> Iterator[Figure]:
    run = runs.make(store, "live-run", steps=10_000, points=300, keys=6)
    _reopen(run)
    with Terminal(_studio(store, "watch", run.id)) as terminal:
        terminal.wait(_has_chart)
        terminal.settle(0.5)
        traffic, cpu = _at_one_hertz(run, terminal, 12)
        delays = [_delay(run, terminal, index) for index in range(8)]
    yield Figure(
        "terminal traffic, six charts at 1 Hz, 200x50",
        traffic / 1000,
        "kB/s",
        f"{100 * cpu:.1f} % of a core",
        "<= 4 kB/s",
        traffic <= 4000,
    )
    seen = [delay for delay in delays if delay is not None]
    delay = statistics.median(seen) if seen else None
    yield Figure(
        "logged to on screen",
        delay,
        "s",
        f"{len(seen)} of {len(delays)} seen",
        "<= 0.5 s",
        delay is not None and delay <= 0.5,
    )


def _reopen(run: Run) -> None:
    """Makes a finished run look as if another host trained it now."""
    status = records.Status(
        state="running", step=9000, of=10_000, host="elsewhere", heartbeat=time.time() + 3600
    )
    write_atomic(run.path / "status.json", records.encode(status))


def _at_one_hertz(run: Run, terminal: Terminal, seconds: int) -> tuple[float, float]:
    """(bytes a second, share of a core) while six scalars get a point a second."""
    log, number = Log(run.records), 20_000
    terminal.listen(1.0)
    begin, count = terminal.cpu(), 0
    for index in range(seconds):
        log.append(runs.step(number + 30 * index, time.time(), 6))
        count += terminal.listen(1.0)
    log.close()
    return count / seconds, (terminal.cpu() - begin) / seconds


def _delay(run: Run, terminal: Terminal, index: int) -> float | None:
    """Seconds from the append of a value nobody has seen to its digits on the screen."""
    log, marker = Log(run.records), f"7{index}3.{index}"
    terminal.listen(0.3)
    terminal.forget()
    values: dict[str, records.Scalar] = {"loss": float(marker)}
    log.append(records.Step(step=30_000 + 30 * index, t=time.time(), values=values))
    log.close()
    return terminal.wait(lambda text: marker[:3] in text, 5.0)
