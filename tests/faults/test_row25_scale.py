"""Row 25: a store of 5,000 runs, runs of a million scalars and of ten million, many viewers of one.

The list is there within a second, and asked again it reads what has changed and nothing else. A
chart is there within half a second, however long the run. What a studio takes does not grow with
the file. Whoever writes takes no notice of who looks on, and loses nothing.
"""

import os
import statistics
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import pytest

from backends.records import Status, Step, encode
from benchmarks import runs
from benchmarks.terminal import Terminal
from faults.scorecard import Entry, counts, long
from faults.seats import CLI
from genai_tui.log import LIMIT, Log, read
from genai_tui.run import Run, Summary
from genai_tui.store import Store, write_atomic

LIST_SECONDS, CHART_SECONDS = 1.0, 0.5
SLACK = 4
"""How many times as long a machine may take that does other things, too."""
TIMES = 3
"""The best of so many is what it takes; one that is good enough needs no other."""
KEYS = 10
MEGABYTES = 150.0
"""Of a studio that shows ten million scalars; one that kept the file would take 400 more, one that
kept the numbers of it 100, and some 60 smoothed."""
BRAILLE = range(0x2801, 0x2900)
LINES, EVERY = 400, 0.005
"""What the writer appends while others look on, and seconds between two lines."""
DEARER = 2.0
"""What a line may cost its writer then: viewers share the processor's caches."""


def copies(store: Store, count: int) -> list[Run]:
    """A finished run and copies of it, each with files of its own but the log."""
    first = runs.make(
        store, "run-0000", steps=200, points=20, identity="20260101-000000-vae-conv-a"
    )
    spec, status = (first.path / "run.json").read_bytes(), (first.path / "status.json").read_bytes()
    made = [first]
    for index in range(1, count):
        identity = f"20260101-{index:06d}-vae-conv-a"
        path = store.root / identity
        path.mkdir(mode=0o700)
        named = spec.replace(b"run-0000", b"run-%04d" % index)
        (path / "run.json").write_bytes(named.replace(first.id.encode(), identity.encode()))
        (path / "status.json").write_bytes(status)
        os.link(first.records, path / "records.jsonl")
        made.append(Run(path))
    return made


def best(seconds: list[float], limit: float) -> bool:
    print(f"best of {len(seconds)}: {min(seconds):.3f} s, of {limit} s")
    return min(seconds) <= SLACK * limit


@contextmanager
def studio(store: Store, *words: str) -> Generator[Terminal]:
    with Terminal([*CLI, "--runs", str(store.root), *words], columns=120, rows=40) as terminal:
        yield terminal


def has_chart(text: str) -> bool:
    return any(ord(character) in BRAILLE for character in text)


def has_new_dots(terminal: Terminal) -> bool:
    """Whether any has come, or comes, since the terminal forgot the others."""
    return has_chart(terminal.text) or terminal.wait(has_chart, 60) is not None


def test_a_list_of_5000(store: Store, monkeypatch: pytest.MonkeyPatch, scorecard: Entry) -> None:
    made, times, anew = copies(store, 5000), list[float](), store
    for _ in range(TIMES):
        anew = Store(store.root)
        begin = time.perf_counter()
        found = anew.summaries()
        times.append(time.perf_counter() - begin)
        assert len(found) == 5000
    assert best(times, LIST_SECONDS)
    seen: list[str] = []
    summary = Run.summary

    def counted(self: Run, *, annotated: bool = True) -> Summary:
        seen.append(self.id)
        return summary(self, annotated=annotated)

    monkeypatch.setattr(Run, "summary", counted)
    assert len(anew.summaries()) == 5000
    assert seen == []
    os.utime(made[7].path / "status.json")
    (made[9].path / "annotation.json").write_bytes(b'{"name":"another"}')
    assert {one.name for one in anew.summaries()} >= {"run-0007", "another", "run-4999"}
    assert sorted(seen) == [made[7].id, made[9].id]
    scorecard(row=25, tried=5000, lost=0)


def test_a_studio_of_5000(store: Store, scorecard: Entry) -> None:
    copies(store, 5000)
    with studio(store) as terminal:
        assert terminal.wait(lambda text: "run-4999" in text and "5,000" in text) is not None
        terminal.send(b"G")  # the oldest, at the other end
        assert terminal.wait(lambda text: "run-0000" in text) is not None
        assert terminal.memory() < MEGABYTES
    scorecard(row=25, tried=1, lost=0)


@pytest.mark.parametrize("points", [10_000, *map(long, (100_000, 1_000_000))])
def test_the_first_chart_of_a_long_run(points: int, store: Store, scorecard: Entry) -> None:
    """From the key to the first dot of a curve, and what a studio takes once all is read.

    Ten million scalars are ten of each of a million steps.
    """
    run = runs.make(store, "long-run", steps=10 * points, points=points, keys=KEYS)
    chunk = read(run.records)
    assert 0 < chunk.offset <= LIMIT
    first: list[float] = []
    memory = 0.0
    for _ in range(TIMES):
        with studio(store) as terminal:
            assert terminal.wait(lambda text: "long-run" in text) is not None
            terminal.settle(0.5)
            terminal.forget()
            terminal.send(b"\r")
            seconds = terminal.wait(has_chart)
            assert seconds is not None
            first.append(seconds)
            terminal.settle(1.0, 60)
            memory = max(memory, terminal.memory())
        if seconds <= CHART_SECONDS:
            break
    print(f"{points * KEYS:,} scalars, {run.records.stat().st_size >> 20} MiB: {memory:.0f} MB")
    assert best(first, CHART_SECONDS)
    assert memory < MEGABYTES
    scorecard(row=25, tried=1, lost=0)


@counts("viewers", quick=2, full=10)
def test_a_writer_with_viewers(viewers: int, store: Store, scorecard: Entry) -> None:
    run = runs.make(store, "watched-run", steps=10**9, points=2000, keys=KEYS)
    trains_elsewhere(run)
    alone = written(run, 10_000, [])
    with ExitStack() as stack:
        terminals = [stack.enter_context(studio(store, "watch", run.id)) for _ in range(viewers)]
        for terminal in terminals:
            assert terminal.wait(has_chart, 120) is not None
            terminal.settle(0.5)
            terminal.forget()
        watched = written(run, 20_000, terminals)
        assert all(has_new_dots(terminal) for terminal in terminals)
    print(f"{1e6 * alone:.0f} us a line, with {viewers} viewers {1e6 * watched:.0f} us")
    assert watched < DEARER * alone
    there = [record.step for record in everything(run) if isinstance(record, Step)]
    assert there[-2 * LINES :] == [
        10 * (begin + index) for begin in (10_000, 20_000) for index in range(1, LINES + 1)
    ]
    scorecard(row=25, tried=viewers, lost=0)


def trains_elsewhere(run: Run) -> None:
    """On another host, which nobody here can ask whether its worker lives."""
    told = Status(state="running", step=1, of=10**9, host="elsewhere", heartbeat=time.time())
    write_atomic(run.path / "status.json", encode(told))


def written(run: Run, begin: int, terminals: list[Terminal]) -> float:
    """Appends lines as a training does; seconds of the processor that one takes, the median."""
    log, spent = Log(run.records), list[float]()
    for index in range(1, LINES + 1):
        step = runs.step(10 * (begin + index), time.time(), KEYS)
        before = time.thread_time()
        log.append(step)
        spent.append(time.thread_time() - before)
        for terminal in terminals:  # which a real one reads, too
            terminal.listen(EVERY / len(terminals))
        if not terminals:
            time.sleep(EVERY)
    log.close()
    return statistics.median(spent)


def everything(run: Run) -> list[object]:
    found: list[object] = []
    offset = 0
    while (chunk := run.read(offset)).records:
        found += chunk.records
        offset = chunk.offset
    return found
