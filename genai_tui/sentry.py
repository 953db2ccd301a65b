"""The thread that looks after every run that trains, whatever is on the screen.

It reads what the runs append, finds what is wrong, and posts it. What has been told once is
remembered in the run's folder, so that no viewer tells it again.
"""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.message import Message

from backends.records import Histogram
from genai_tui.feed import Target
from genai_tui.store import TRAINING, Run, RunError, Seen, Store, Summary
from genai_tui.telemetry import journal

if TYPE_CHECKING:
    from genai_tui.alerts.alert import Alert

EVERY, EVERY_BEHIND = 2.0, 0.2
LIST_SHARE = 50
"""Looking at a large store may take one part in so many of the time."""
RECORD_BYTES = 1 << 19
TELEMETRY_BYTES = 1 << 17
LONG_AGO = 600.0
"""Seconds: a jump that was before somebody looked is shown, but not told."""
REPEAT_SECONDS = 600.0
"""The like of what was told is not told again so soon."""
_DEAD: frozenset[Seen] = frozenset({"interrupted", "failed"})
DEAD_SECONDS = 24 * 3600.0
"""Who opens the studio is told of runs that died within the last day."""
_MOMENTARY = frozenset({"spike", "gradients"})


class Lookout:
    """Follows one run from the beginning of its log; of a long one it remembers the end alone."""

    def __init__(self, run: Run) -> None:
        from genai_tui.alerts.curves import LOOK_BACK
        from genai_tui.alerts.watch import AlertWatch  # numpy, long after the first paint
        from genai_tui.history import History

        self._run = run
        self._watch = AlertWatch(run.spec())
        self._history, self._most = History(), LOOK_BACK
        self._records, self._telemetry = 0, -TELEMETRY_BYTES
        self.behind = True
        """Whether there is more of the log to be read than one look takes."""

    def look(self, summary: Summary, now: float) -> "list[Alert] | None":
        """What is wrong; None while the log is not read to its end."""
        chunk = self._run.read(self._records, RECORD_BYTES)
        self._records, self.behind = chunk.offset, chunk.more
        known = (one for one in chunk.records if not isinstance(one, Histogram))
        self._history.fold(known, chunk.damaged)
        self._history.keep_last(self._most)
        reading = journal.read(self._run.telemetry, self._telemetry)
        self._telemetry = reading.offset
        self._watch.see(reading.samples)
        return None if self.behind else self._watch.look(self._history, summary, now)


def look_once(run: Run, summary: Summary, now: float) -> "list[Alert]":
    """What is wrong with a run, by the end of its log; as of one that nobody looks after.

    Raises:
        OSError, RunError: the run cannot be read.
    """
    lookout = Lookout(run)
    while (found := lookout.look(summary, now)) is None:
        pass
    return found


class Sentry:
    """Posts what it finds of each run to one target."""

    class Found(Message, bubble=False):
        """What is wrong with a run has changed; ``news`` is what nobody has been told."""

        def __init__(self, run: Summary, alerts: "list[Alert]", news: "list[Alert]") -> None:
            super().__init__()
            self.run = run
            self.alerts = alerts
            self.news = news

    def __init__(self, store: Store, target: Target) -> None:
        self._store = Store(store.root)  # what a store remembers is its thread's own
        self._target = target
        self._began = time.time()
        self._runs: list[Summary] = []
        self._due = 0.0
        self._lookouts: dict[str, Lookout] = {}
        self._found: dict[str, list[Alert]] = {}
        self._told: dict[str, set[str]] = {}
        self._likes: dict[tuple[str, str, str], float] = {}
        self._settled: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sentry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; when this returns nothing is posted any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=EVERY)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            with suppress(RunError):  # the store is away for the moment
                self.look(time.time())
            took = time.monotonic() - began
            rest = max(EVERY, LIST_SHARE * took)
            self._stopped.wait(EVERY_BEHIND if self._behind else rest)

    @property
    def _behind(self) -> bool:
        return any(lookout.behind for lookout in self._lookouts.values())

    def look(self, now: float) -> None:
        """Looks at every run once. Called by the thread alone, and by tests."""
        if not self._behind or time.monotonic() >= self._due:
            self._runs, self._due = self._store.summaries(), time.monotonic() + EVERY
        for run in self._runs:
            if self._stopped.is_set():
                return
            if run.state in TRAINING or run.id not in self._settled:
                self._look_at(run, now)

    def _look_at(self, run: Summary, now: float) -> None:
        live = run.state in TRAINING
        if not live and run.id not in self._lookouts and not _died_lately(run, now):
            if run.state != "broken":  # which may be one that is just being made
                self._settled.add(run.id)
            return
        folder = Run(self._store.root / run.id)
        try:
            lookout = self._lookouts.get(run.id) or Lookout(folder)
            self._lookouts[run.id] = lookout
            found = lookout.look(run, now)
        except (OSError, RunError):
            return  # it is being deleted
        if found is None:
            return
        if not live:
            del self._lookouts[run.id]
            self._settled.add(run.id)
        if found != self._found.get(run.id, []):
            self._found[run.id] = found
            self._target.post_message(self.Found(run, found, self._news(folder, found)))

    def _news(self, folder: Run, found: "list[Alert]") -> "list[Alert]":
        """What nobody has been told yet; from now on it counts as told."""
        from genai_tui.alerts import told

        known = self._told.setdefault(folder.id, set())
        known |= told.read(folder.path)
        news = [alert for alert in found if alert.id not in known]
        if news:
            ids = [alert.id for alert in news]
            known.update(ids)
            with suppress(OSError):  # somebody else's run: this viewer remembers by itself
                told.add(folder.path, ids)
        return [one for one in news if not self._is_old(one) and not self._repeats(folder.id, one)]

    def _is_old(self, alert: "Alert") -> bool:
        return alert.kind in _MOMENTARY and alert.t < self._began - LONG_AGO

    def _repeats(self, run: str, alert: "Alert") -> bool:
        """Whether the like has just been told of the same scalar: a wild run has no end of it."""
        like, now = (run, alert.kind, alert.about), time.monotonic()
        if now - self._likes.get(like, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return True
        self._likes[like] = now
        return False


def _died_lately(run: Summary, now: float) -> bool:
    return run.state in _DEAD and now - run.status.heartbeat < DEAD_SECONDS
