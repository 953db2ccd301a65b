"""The thread that looks after all runs: it tells what is wrong, and tells it once."""

import time
import tracemalloc
from collections.abc import Sequence

import build_runs
import pytest
from textual.message import Message
from waiting import until

from backends import records
from backends.records import Step
from genai_tui import liveness
from genai_tui.alerts import told
from genai_tui.atomic import write_atomic
from genai_tui.log import Log
from genai_tui.sentry import Sentry
from genai_tui.store import Run, Store


class Ear:
    """Remembers what was posted."""

    def __init__(self) -> None:
        self.heard: list[Sentry.Found] = []

    def post_message(self, message: Message) -> bool:
        assert isinstance(message, Sentry.Found)
        self.heard.append(message)
        return True

    @property
    def news(self) -> list[str]:
        return [alert.kind for found in self.heard for alert in found.news]


@pytest.fixture
def live(store: Store) -> Run:
    now = time.time()
    run = build_runs.build(store, "a", state="running", step=1000, created=now - 80, telemetry=5)
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


def log(run: Run, **values: float) -> None:
    """One more logged step."""
    step = 1010
    writer = Log(run.records)
    at: dict[str, records.Scalar] = {key: records.scalar(value) for key, value in values.items()}
    writer.append(Step(step=step, t=time.time(), values=at))
    writer.close()


def watched(store: Store, looks: int = 1) -> Ear:
    """What a viewer that begins now is told."""
    ear = Ear()
    sentry = Sentry(store, ear)
    for _ in range(looks):
        sentry.look(time.time())
    return ear


def test_a_healthy_run_is_read_and_nothing_is_said(store: Store, live: Run) -> None:
    assert watched(store).heard == []


def test_what_is_wrong_is_told_once_whoever_looks(store: Store, live: Run) -> None:
    log(live, loss=float("nan"))
    ear = watched(store, looks=3)
    assert [found.run.id for found in ear.heard] == [live.id]
    assert ear.news == ["nan"]
    again = watched(store)
    assert [alert.kind for alert in again.heard[0].alerts] == ["nan"]
    assert again.news == []


def test_what_begins_while_it_watches_is_told_then(store: Store, live: Run) -> None:
    ear = Ear()
    sentry = Sentry(store, ear)
    sentry.look(time.time())
    assert ear.heard == []
    log(live, loss=50.0)
    sentry.look(time.time() + 5)
    assert ear.news == ["spike"]


def test_of_a_long_run_the_end_is_remembered_and_that_it_went_wrong(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genai_tui.alerts.curves.LOOK_BACK", 100)
    log(live, loss=float("nan"))
    ear = Ear()
    sentry = Sentry(store, ear)
    held: list[int] = []
    tracemalloc.start()
    for begin in (1000, 3000, 5000):
        writer = Log(live.records)
        for step in range(begin, begin + 2000):
            values: dict[str, records.Scalar] = {f"term_{key}": 0.3 for key in range(20)}
            writer.append(Step(step=20 + step, t=time.time(), values=values))
        writer.close()
        sentry.look(time.time())
        while sentry._behind:  # pyright: ignore[reportPrivateUsage]
            sentry.look(time.time())
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert ear.news == ["nan"]
    assert [(alert.kind, alert.step) for alert in ear.heard[-1].alerts] == [("nan", 1010)]
    assert held[2] - held[1] < 100_000  # twenty terms of 2,000 points have 320,000 bytes


def test_a_wild_run_is_told_of_once_in_a_while(store: Store, live: Run) -> None:
    ear = Ear()
    sentry = Sentry(store, ear)
    for number in range(3):
        writer = Log(live.records)
        for step in range(1, 121):
            value = 50.0 if step == 1 else 0.3
            at = 1000 + 10 * (120 * number + step)
            writer.append(Step(step=at, t=time.time(), values={"loss": value}))
        writer.close()
        sentry.look(time.time() + 5 * number)
    assert ear.news == ["spike"]
    assert len([a for a in ear.heard[-1].alerts if a.kind == "spike"]) == 3


def test_a_jump_of_long_ago_is_shown_and_not_told(store: Store) -> None:
    begun = time.time() - 7200
    run = build_runs.build(store, "a", state="running", step=1000, created=begun, telemetry=0)
    liveness.hold_keeper(run.path / "keeper.lock")
    writer = Log(run.records)
    writer.append(Step(step=1010, t=begun + 100, values={"loss": 50.0}))
    writer.append(Step(step=1020, t=time.time(), values={"loss": 0.3}))
    writer.close()
    ear = watched(store)
    assert [alert.kind for alert in ear.heard[0].alerts] == ["spike"]
    assert ear.news == []


def test_a_run_that_died_lately_is_told_and_one_that_died_long_ago_is_not(store: Store) -> None:
    for name, seed, age in (("fresh", 1, 60), ("old", 2, 3 * 86400)):
        run = build_runs.build(store, name, seed=seed, state="running", step=100, telemetry=0)
        beat = time.time() - age
        build_runs.write_status(run, "running", 100, 2000, created=beat - 8, signal=9)
    ear = watched(store, looks=2)
    assert [(found.run.name, [a.kind for a in found.news]) for found in ear.heard] == [
        ("fresh", ["interrupted"])
    ]


def test_the_end_is_told_of_a_run_that_was_seen_to_train(store: Store, live: Run) -> None:
    build_runs.build(store, "done before", seed=5, step=100)
    ear = Ear()
    sentry = Sentry(store, ear)
    sentry.look(time.time())
    build_runs.write_status(live, "finished", 2000, 2000)
    sentry.look(time.time())
    sentry.look(time.time())
    assert ear.news == ["finished"]


def test_a_long_log_is_read_in_pieces_before_anything_is_said(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(live, loss=float("nan"))
    monkeypatch.setattr("genai_tui.sentry.RECORD_BYTES", 4096)
    ear = Ear()
    sentry = Sentry(store, ear)
    looks = 0
    while not ear.heard:
        sentry.look(time.time())
        looks += 1
    assert looks > 3
    assert ear.news == ["nan"]


def test_in_a_folder_that_cannot_be_written_a_viewer_remembers_by_itself(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(told, "write_atomic", refuse)
    log(live, loss=float("nan"))
    assert watched(store, looks=2).news == ["nan"]
    assert watched(store, looks=2).news == ["nan"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"ids": 3}', bytes(range(156, 256)), b"[" * 100_000]
)
def test_a_damaged_memory_is_an_empty_one(live: Run, content: bytes) -> None:
    (live.path / told.FILE).write_bytes(content)
    assert told.read(live.path) == frozenset()
    told.add(live.path, ["nan:loss:1"])
    assert told.read(live.path) == {"nan:loss:1"}


def test_the_memory_stays_small(live: Run) -> None:
    ids: Sequence[str] = [f"spike:loss:{n}" for n in range(2000)]
    told.add(live.path, ids)
    told.add(live.path, ["nan:loss:1"])
    assert "nan:loss:1" in told.read(live.path)
    assert len(told.read(live.path)) == told.MOST


def test_a_run_that_vanishes_or_is_broken_stops_nothing(store: Store, live: Run) -> None:
    other = build_runs.build(store, "b", seed=9, state="running", step=100)
    liveness.hold_keeper(other.path / "keeper.lock")
    write_atomic(other.path / "run.json", b"{")
    log(live, loss=float("nan"))
    assert watched(store, looks=2).news == ["nan"]


def test_the_thread_posts_and_ends(store: Store, live: Run) -> None:
    log(live, loss=float("inf"))
    ear = Ear()
    sentry = Sentry(store, ear)
    sentry.start()
    until(lambda: ear.heard)
    sentry.stop()
    assert ear.news == ["nan"]
