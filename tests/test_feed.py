"""What the feed posts: bounded pieces, only news, and nothing after it was told to stop."""

import threading
from pathlib import Path

import build_runs
import pytest
from textual.message import Message
from waiting import until

from backends.records import Start, Step
from genai_tui import feed, liveness
from genai_tui.feed import Feed, ListWatch, RunWatch
from genai_tui.log import Log
from genai_tui.store import Run, Store


class Listener:
    """A target that keeps what it is told, and takes records as a screen would."""

    def __init__(self, *, takes: bool = True) -> None:
        self.told: list[Message] = []
        self.threads: set[str] = set()
        self._takes = takes
        self.gone = False

    def post_message(self, message: Message) -> bool:
        if self.gone:
            return False
        self.told.append(message)
        self.threads.add(threading.current_thread().name)
        if self._takes and isinstance(message, Feed.RecordsRead):
            message.taken.set()
        return True

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.told if isinstance(message, kind)]


@pytest.fixture
def run(store: Store) -> Run:
    return build_runs.build(store, "a run", step=200, of=200, telemetry=3)


def kinds(watch: RunWatch) -> list[str]:
    return [type(message).__name__ for message in watch.look()]


def test_the_first_look_at_a_run_tells_everything_and_the_next_nothing(run: Run) -> None:
    watch = RunWatch(run)
    assert kinds(watch) == ["StatusRead", "RecordsRead", "TelemetryRead", "ConsoleRead"]
    assert kinds(watch) == []


def test_a_record_that_is_appended_is_all_that_the_next_look_tells(run: Run) -> None:
    watch = RunWatch(run)
    list(watch.look())
    Log(run.records).append(Step(step=201, t=0.0, values={"loss": 0.5}))
    (message,) = watch.look()
    assert isinstance(message, Feed.RecordsRead)
    assert [record.step for record in message.chunk.records] == [201]


def test_half_a_line_waits_for_its_other_half(run: Run) -> None:
    watch = RunWatch(run)
    list(watch.look())
    line = b'{"kind":"step","step":201}'
    with run.records.open("ab") as file:
        file.write(line[:10])
        file.flush()
        assert kinds(watch) == []
        file.write(line[10:] + b"\n")
    (message,) = watch.look()
    assert isinstance(message, Feed.RecordsRead)
    assert message.chunk.damaged == 1  # no checksum


def test_a_long_log_comes_in_bounded_pieces(run: Run) -> None:
    log = Log(run.records)
    for step in range(201, 3000):
        log.append(Step(step=step, t=0.0, values={f"key-{i}": 0.123456 for i in range(10)}))
    watch, sizes, more = RunWatch(run), [], True
    while more:
        before = watch._records
        (message,) = (one for one in watch.look() if isinstance(one, Feed.RecordsRead))
        sizes.append(watch._records - before)
        more = message.chunk.more
    assert sum(sizes) == run.records.stat().st_size
    assert max(sizes) <= feed.RECORD_BYTES
    assert len(sizes) > 2


def test_a_keeper_that_dies_is_news_without_a_new_status(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = build_runs.build(store, "live", state="running", telemetry=0)
    keeper = liveness.hold_keeper(run.path / "keeper.lock")
    watch = RunWatch(run)
    (first,) = (one for one in watch.look() if isinstance(one, Feed.StatusRead))
    assert first.summary.state == "running"
    liveness.os.close(keeper)
    monkeypatch.setattr(feed, "STATE_EVERY", 0.0)
    watch._due = 0.0
    (message,) = watch.look()
    assert isinstance(message, Feed.StatusRead)
    assert message.summary.state == "interrupted"


def test_the_console_is_told_from_its_tail_and_a_cut_character_is_mended(run: Run) -> None:
    run.console.write_bytes(b"x" * (2 * feed.CONSOLE_BYTES) + b"\nend\n")
    watch = RunWatch(run)
    (message,) = (one for one in watch.look() if isinstance(one, Feed.ConsoleRead))
    assert len(message.text) == feed.CONSOLE_BYTES
    assert message.text.endswith("\nend\n")
    with run.console.open("ab") as file:
        file.write("ü".encode()[:1])
        file.flush()
        assert kinds(watch) == []
        file.write("ü".encode()[1:])
        file.flush()
    (message,) = watch.look()
    assert isinstance(message, Feed.ConsoleRead)
    assert message.text == "ü"


def test_a_rotated_console_is_read_from_its_start(run: Run) -> None:
    watch = RunWatch(run)
    list(watch.look())
    run.console.write_text("new\n")
    (message,) = watch.look()
    assert isinstance(message, Feed.ConsoleRead)
    assert message.text == "new\n"


def test_a_run_whose_folder_goes_is_said_to_be_lost(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = RunWatch(run)
    list(watch.look())
    monkeypatch.setattr(feed, "STATE_EVERY", 0.0)
    watch._due = 0.0
    run.delete()
    assert "RunLost" in kinds(watch)


def test_the_list_is_told_when_it_has_changed(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LIST_EVERY", 0.0)
    monkeypatch.setattr(feed, "LIST_SHARE", 0.0)
    watch = ListWatch(store)
    (message,) = watch.look()
    assert isinstance(message, Feed.RunsRead)
    assert [summary.name for summary in message.summaries] == ["a run"]
    assert list(watch.look()) == []
    build_runs.build(store, "another", id="20270101-000000-x", step=0, telemetry=0)
    (message,) = watch.look()
    assert isinstance(message, Feed.RunsRead)
    assert [summary.name for summary in message.summaries] == ["another", "a run"]


def test_the_list_is_looked_at_once_a_second_at_most(store: Store, run: Run) -> None:
    watch = ListWatch(store)
    list(watch.look())
    build_runs.build(store, "another", id="20270101-000000-x", step=0, telemetry=0)
    assert list(watch.look()) == []


def test_the_thread_tells_each_target_what_it_asked_for(store: Store, run: Run) -> None:
    reader, lister, thread = Listener(), Listener(), Feed(store)
    thread.list_to(lister)
    thread.follow(run, reader)
    thread.start()
    until(lambda: reader.of(Feed.ConsoleRead) and lister.of(Feed.RunsRead))
    Log(run.records).append(Step(step=300, t=0.0))
    until(lambda: len(reader.of(Feed.RecordsRead)) == 2)
    assert reader.threads == lister.threads == {"feed"}
    thread.drop(reader)
    thread.stop()
    told = len(reader.told) + len(lister.told)
    Log(run.records).append(Step(step=310, t=0.0))
    assert len(reader.told) + len(lister.told) == told
    assert not thread._thread.is_alive()


def test_the_next_piece_is_read_when_the_last_one_is_taken(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RECORD_BYTES", 2000)
    slow, thread = Listener(takes=False), Feed(store)
    thread.follow(run, slow)
    thread.start()
    until(lambda: slow.of(Feed.RecordsRead))
    (first,) = slow.of(Feed.RecordsRead)
    assert isinstance(first, Feed.RecordsRead)
    first.taken.set()
    until(lambda: len(slow.of(Feed.RecordsRead)) == 2)
    slow.gone = True
    thread.stop()


def test_a_target_that_takes_no_messages_any_more_is_dropped(store: Store, run: Run) -> None:
    closed, thread = Listener(), Feed(store)
    closed.gone = True
    thread.follow(run, closed)
    thread.start()
    until(lambda: not thread._watches)
    thread.stop()


def test_a_store_that_is_not_there_yet_has_no_runs(tmp_path: Path) -> None:
    (message,) = ListWatch(Store(tmp_path / "nowhere")).look()
    assert isinstance(message, Feed.RunsRead)
    assert message.summaries == []


def test_a_run_that_has_only_just_begun_has_a_status_and_nothing_else(store: Store) -> None:
    run = build_runs.build(store, "new", step=0, samples_every=0, telemetry=0)
    run.records.unlink()
    run.console.unlink()
    watch = RunWatch(run)
    assert kinds(watch) == ["StatusRead"]
    Log(run.records).append(Start(step=0, t=0.0, attempt=1, of=10))
    assert kinds(watch) == ["RecordsRead"]
