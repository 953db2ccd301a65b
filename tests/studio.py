"""The studio without its thread: a feed that tells only what a test tells it to."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.message import Message
from textual.pilot import Pilot

from genai_tui import log
from genai_tui.app import StudioApp
from genai_tui.feed import Feed, RunWatch, SamplesWatch, Target
from genai_tui.images.detect import Graphics
from genai_tui.store import Run, Store
from genai_tui.telemetry.record import Snapshot

BEGUN = 1_795_425_330.0
"""When the runs of the tests began: no time has passed since, so that none of them stalls."""
QUADRANT = Graphics("quadrant", "quadrant", why="a test")


class StillFeed(Feed):
    """Remembers who listens; reads a folder once when asked to."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.listener: Target | None = None
        self.followers: dict[Target, RunWatch | SamplesWatch] = {}
        self.watcher: Target | None = None
        self.stopped = False

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def now(self) -> float:
        return BEGUN

    def list_to(self, target: Target) -> None:
        self.listener = target

    def follow(self, run: Run, target: Target) -> None:
        self.followers[target] = RunWatch(run)

    def samples_to(self, run: Run, target: Target) -> None:
        self.followers[target] = SamplesWatch(run)

    def machine_to(self, target: Target, every: float = 1.0, *, processes: bool = False) -> None:
        self.watcher = target

    def machine_stop(self, target: Target) -> None:
        if target is self.watcher:
            self.watcher = None

    def drop(self, target: Target) -> None:
        self.followers.pop(target, None)

    def tell(self, message: Message) -> None:
        """Posts to whoever listens to the list, else to whoever follows a run."""
        target = next(reversed(self.followers), self.listener)
        assert target is not None
        target.post_message(message)

    def tell_runs(self) -> None:
        assert self.listener is not None
        self.listener.post_message(self.RunsRead(self._store.summaries()))

    def tell_machine(self, sample: Snapshot) -> None:
        assert self.listener is not None
        self.listener.post_message(self.MachineRead(sample))

    def tell_records(self, *records: Any) -> None:
        self.tell(self.RecordsRead(log.Chunk(list(records))))

    def look(self) -> None:
        """Everything that is new in the run's folder."""
        for target, watch in self.followers.items():
            while True:
                messages = list(watch.look())
                for message in messages:
                    target.post_message(message)
                if not any(isinstance(one, self.RecordsRead) for one in messages):
                    break


def studio(store: Store, open_run: Run | None = None) -> tuple[StudioApp, StillFeed]:
    feed = StillFeed(store)
    return StudioApp(store, graphics=QUADRANT, open_run=open_run, feed=feed), feed


async def until(pilot: Pilot[None], fact: Callable[[], object], seconds: float = 10.0) -> None:
    """Lets the app work until something is so."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "still not so"
        await pilot.pause()
        await asyncio.sleep(0.005)


def screen_text(app: App[None]) -> str:
    """All that the terminal shows now, line by line."""
    _width, _height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
