"""The thread that reads: it polls what the screens look at and posts what it finds to them.

It only reads and posts; the handlers own all state. A message holds a bounded amount, and the
next piece of a log is read when the last one has been taken, so that a long log stalls no screen
and never piles up in memory.
"""

import codecs
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from textual.message import Message

from backends.records import Record
from genai_tui import annotations, log, sample_files, stars
from genai_tui.regular import opened
from genai_tui.sample_files import Drawn
from genai_tui.stars import FILE as STARS
from genai_tui.stars import Keepsake
from genai_tui.store import Run, Store, Summary
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Snapshot, Telemetry

if TYPE_CHECKING:
    from genai_tui.telemetry.watcher import Watcher

EVERY = 0.1
"""Seconds between two looks: a stat of four files, 0.1 % of a core."""
LIST_EVERY = 1.0
STATE_EVERY = 1.0
LIST_SHARE = 50
"""Looking at a large store may take one part in so many of the time."""
MACHINE_EVERY = 2.0
RECORD_BYTES = 1 << 17
CONSOLE_BYTES = 1 << 15
TELEMETRY_BYTES = 1 << 17
TAKEN_SECONDS = 2.0
TICK_NANOSECONDS = 2 * 10**9


class Target(Protocol):
    """Who is told: a screen, or a test's list."""

    def post_message(self, message: Message) -> bool: ...


class Feed:
    """Reads the list of runs, open runs and this machine, each for as long as a target wants it."""

    class RunsRead(Message, bubble=False):
        """The list of runs has changed."""

        def __init__(self, summaries: list[Summary]) -> None:
            super().__init__()
            self.summaries = summaries

    class RecordsRead(Message, bubble=False):
        """The next records of a run. The handler sets ``taken`` when it has folded them."""

        def __init__(self, chunk: log.Chunk) -> None:
            super().__init__()
            self.chunk = chunk
            self.taken = threading.Event()

    class StatusRead(Message, bubble=False):
        """A run's summary has changed."""

        def __init__(self, summary: Summary) -> None:
            super().__init__()
            self.summary = summary

    class ScoresRead(Message, bubble=False):
        """The next records of a run's evaluations; ``active`` is whether one is under way."""

        def __init__(self, records: list[Record], *, active: bool) -> None:
            super().__init__()
            self.records = records
            self.active = active

    class TelemetryRead(Message, bubble=False):
        """The next samples of a run's telemetry, oldest first."""

        def __init__(self, samples: list[Telemetry]) -> None:
            super().__init__()
            self.samples = samples

    class ConsoleRead(Message, bubble=False):
        """The next bytes of a run's console."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class SamplesRead(Message, bubble=False):
        """The sample steps of a run or what the user keeps of them have changed."""

        def __init__(self, drawn: list[Drawn], kept: dict[str, Keepsake]) -> None:
            super().__init__()
            self.drawn = drawn
            self.kept = kept

    class RunLost(Message, bubble=False):
        """A run's folder is gone."""

    class MachineRead(Message, bubble=False):
        """How this machine is doing."""

        def __init__(self, sample: Snapshot) -> None:
            super().__init__()
            self.sample = sample

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watches: dict[Target, Watch] = {}
        self._watcher: Watcher | None = None
        self._machine_target: Target | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; when this returns nothing is posted any more."""
        self._stopped.set()
        self._woken.set()
        self._stop_watching()
        if self._thread.is_alive():
            self._thread.join(timeout=TAKEN_SECONDS)

    def hurry(self) -> None:
        """Looks at the list at once: something in it has just been changed from here."""
        for watch in list(self._watches.values()):
            if isinstance(watch, ListWatch):
                watch.hurry()
        self._woken.set()

    def now(self) -> float:
        """What time it is where runs are read, in seconds since the epoch."""
        return time.time()

    def list_to(self, target: Target) -> None:
        """From now on ``target`` gets the list of runs."""
        self._watch(target, ListWatch(self._store))

    def follow(self, run: Run, target: Target) -> None:
        """From now on ``target`` gets all that is written into the run's folder."""
        self._watch(target, RunWatch(run))

    def samples_to(self, run: Run, target: Target) -> None:
        """From now on ``target`` gets the list of the run's samples."""
        self._watch(target, SamplesWatch(run))

    def machine_to(
        self, target: Target, every: float = MACHINE_EVERY, *, processes: bool = False
    ) -> None:
        """From now on ``target``, and no other, gets how this machine is doing.

        ``every`` in seconds; with ``processes`` what runs on it as well.
        """
        from genai_tui.telemetry.watcher import Watcher

        self._stop_watching()
        self._machine_target = target
        self._watcher = Watcher(
            lambda sample: target.post_message(self.MachineRead(sample)),
            _there(self._store.root),
            every,
            processes=processes,
        )
        self._watcher.start()

    def machine_stop(self, target: Target) -> None:
        """Tells ``target`` nothing of the machine any more; whoever has taken its place goes on."""
        if target is self._machine_target:
            self._stop_watching()

    def _stop_watching(self) -> None:
        self._machine_target = None
        if self._watcher:
            self._watcher.stop()
            self._watcher = None

    def drop(self, target: Target) -> None:
        """Tells ``target`` nothing any more."""
        self._watches.pop(target, None)

    def _watch(self, target: Target, watch: "Watch") -> None:
        self._watches[target] = watch
        self._woken.set()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            more = False
            for target, watch in list(self._watches.items()):
                for message in watch.look():
                    more = self._tell(target, message) or more
            if not more:
                self._woken.wait(EVERY)
            self._woken.clear()

    def _tell(self, target: Target, message: Message) -> bool:
        """Posts; True if there is more to read at once."""
        if self._stopped.is_set() or target not in self._watches:
            return False
        if not target.post_message(message):
            self.drop(target)
            return False
        if not isinstance(message, Feed.RecordsRead) or not message.chunk.more:
            return False
        message.taken.wait(TAKEN_SECONDS)
        return True


class Watch(Protocol):
    """Something to look at again and again."""

    def look(self) -> Iterator[Message]:
        """What is new since the last look."""
        ...


class ListWatch:
    """The list of runs, about once a second; less often where the store is large."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due = 0.0
        self._hurried = False
        self._told: list[Summary] | None = None

    def hurry(self) -> None:
        """Makes the next look read the list, however short ago it was read."""
        self._hurried = True

    def look(self) -> Iterator[Message]:
        began = time.monotonic()
        if began < self._due and not self._hurried:
            return
        self._hurried = False
        summaries = self._store.summaries()
        took = time.monotonic() - began
        self._due = began + max(LIST_EVERY, LIST_SHARE * took)
        if summaries != self._told:
            self._told = summaries
            yield Feed.RunsRead(summaries)


class RunWatch:
    """One run's folder: its status, records, telemetry and console."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._records = self._scores = 0
        self._evaluated = False
        self._telemetry = -TELEMETRY_BYTES
        self._console = -1
        self._decode = _decoder()
        self._stamps: dict[Path, tuple[int, ...]] = {}
        self._due = 0.0
        self._told: Summary | None = None

    def look(self) -> Iterator[Message]:
        yield from self._look_status()
        yield from self._look_records()
        yield from self._look_scores()
        if self._has_changed(self._run.telemetry):
            reading = journal.read(self._run.telemetry, self._telemetry)
            self._telemetry = reading.offset
            if reading.samples:
                yield Feed.TelemetryRead(reading.samples)
        if self._has_changed(self._run.console):
            text = self._read_console()
            if text:
                yield Feed.ConsoleRead(text)

    def _look_status(self) -> Iterator[Message]:
        """Reads the summary when what it is made of is new, and at times because locks can go."""
        now, made_of = time.monotonic(), ("status.json", annotations.FILE)
        changed = [self._has_changed(self._run.path / name) for name in made_of]
        if not any(changed) and now < self._due:
            return
        self._due = now + STATE_EVERY
        if not self._run.path.is_dir():
            yield Feed.RunLost()
            return
        summary = self._run.summary()
        if summary != self._told:
            self._told = summary
            yield Feed.StatusRead(summary)

    def _look_records(self) -> Iterator[Message]:
        if not self._has_changed(self._run.records):
            return
        chunk = self._run.read(self._records, RECORD_BYTES)
        if chunk.more:
            self._stamps.pop(self._run.records, None)
        self._records = chunk.offset
        if chunk.records or chunk.damaged or chunk.more:
            yield Feed.RecordsRead(chunk)

    def _look_scores(self) -> Iterator[Message]:
        """Reads what evaluations wrote; the end of one is known by its lock alone."""
        changed = self._has_changed(self._run.scores)
        if not changed and not self._evaluated:
            return
        active = self._run.is_evaluated()
        chunk = log.read(self._run.scores, self._scores)
        self._scores = chunk.offset
        if chunk.more:
            self._stamps.pop(self._run.scores, None)
        if chunk.records or active != self._evaluated:
            self._evaluated = active
            yield Feed.ScoresRead(chunk.records, active=active)

    def _read_console(self) -> str:
        """What came since the last look; at first, and when the file was rotated, its tail."""
        try:
            with opened(self._run.console) as file:
                size = file.seek(0, 2)
                start = self._console if 0 <= self._console <= size else 0
                if start < size - CONSOLE_BYTES or start != self._console:
                    start, self._decode = max(0, size - CONSOLE_BYTES), _decoder()
                file.seek(start)
                data = file.read(CONSOLE_BYTES)
                self._console = file.tell()
        except OSError:
            return ""
        return self._decode.decode(data)

    def _has_changed(self, path: Path) -> bool:
        """Whether a file differs in size, time or identity from the last look."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            stamp = ()
        if self._stamps.get(path, ()) == stamp:
            return False
        self._stamps[path] = stamp
        return True


class SamplesWatch:
    """The sample steps of one run: two stats a look, a listing when there is something new."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told: tuple[list[Drawn], dict[str, Keepsake]] | None = None
        self._stamps: tuple[int, ...] = ()

    def look(self) -> Iterator[Message]:
        stamps = tuple(_modified(self._run.path / name) for name in (sample_files.FOLDER, STARS))
        if stamps == self._stamps:
            return
        # Within one tick of the file system's clock a second change would have the same time.
        self._stamps = stamps if time.time_ns() - max(stamps) > TICK_NANOSECONDS else ()
        found = sample_files.listing(self._run.path), stars.read(self._run.path)
        if found != self._told:
            self._told = found
            yield Feed.SamplesRead(*found)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _there(folder: Path) -> Path:
    """The folder, or the one around it where it has not been made yet."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _decoder() -> codecs.IncrementalDecoder:
    # A character may be cut in two by the end of a look.
    return codecs.getincrementaldecoder("utf-8")(errors="replace")
