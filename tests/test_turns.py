"""Whose turn it is: a pure decision, tickets that die with their holder, and real keepers."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import python, ready, until

from backends.records import Config, RunSpec
from genai_tui import launch, liveness, slots, turns
from genai_tui.launch import LaunchError
from genai_tui.run import RunError
from genai_tui.store import Run, Store
from genai_tui.turns import CPU, Place, Slot, Ticket, Turns, ordinal, place
from genai_tui.waiting_room import WaitingRoom

BOX = [Slot(CPU)]
GPUS = [Slot("cuda:0", "GPU-a"), Slot("cuda:1", "GPU-b"), Slot(CPU)]


def waiting(run: str, created: float = 0.0, device: str = "auto") -> Ticket:
    return Ticket(run, created, device, waits=True)


def training(run: str, device: str) -> Ticket:
    return Ticket(run, 0.0, device, waits=False)


# --------------------------------------------------------------------------- the decision


def test_on_a_box_without_a_gpu_one_trains_and_the_others_stand_in_line() -> None:
    first, second = waiting("a", 1.0), waiting("b", 2.0)
    busy = [training("x", CPU), first, second]
    assert place(first, busy, BOX).phrase == "1st of 2 for the CPU"
    assert place(second, busy, BOX).phrase == "2nd of 2 for the CPU"
    assert place(first, busy, BOX).slot is None
    assert place(first, [first, second], BOX).slot == Slot(CPU)
    assert place(second, [first, second], BOX).slot is None


def test_the_earliest_goes_first_whoever_asks() -> None:
    late, early = waiting("a", 2.0), waiting("b", 1.0)
    assert place(late, [late, early], BOX).slot is None
    assert place(early, [late, early], BOX).slot == Slot(CPU)


def test_two_gpus_take_two_and_one_who_wants_a_certain_one_is_waited_around() -> None:
    a, b, c = waiting("a", 1.0), waiting("b", 2.0, "cuda:0"), waiting("c", 3.0)
    assert place(a, [a, b, c], GPUS).slot == GPUS[0]
    assert place(b, [a, b, c], GPUS).phrase == "2nd of 3 for cuda:0"
    assert place(c, [a, b, c], GPUS).slot == GPUS[1]  # which b cannot use
    assert place(c, [a, b, c], GPUS).words == "a GPU"


def test_a_run_that_was_started_at_once_is_on_the_best_device() -> None:
    mine = waiting("a", device="cuda:0")
    assert place(mine, [mine, training("x", "auto")], GPUS).slot is None
    assert place(mine, [mine, training("x", "auto")], BOX).slot == Slot("cuda:0")
    assert place(mine, [mine, training("x", "cuda")], GPUS).slot is None


def test_a_gpu_with_a_strangers_program_is_not_free() -> None:
    used = [replace(GPUS[0], stranger=True), Slot(CPU)]
    mine = waiting("a")
    found = place(mine, [mine], used)
    assert (found.slot, found.strangers) == (None, True)
    assert found.phrase == "1st of 1 for cuda:0, where another program computes"
    assert place(mine, [mine], [used[0], *GPUS[1:]]).slot == GPUS[1]


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd")],
)
def test_ordinals(number: int, word: str) -> None:
    assert ordinal(number) == word
    assert ordinal(100 + number) == f"1{'0' * (2 - len(str(number)))}{word}"


devices = st.sampled_from(["auto", "cuda", "cuda:0", "cuda:1", CPU])
tickets = st.lists(st.tuples(st.floats(0, 9), devices, st.booleans()), min_size=1, max_size=7).map(
    lambda found: [Ticket(f"r{i}", *one) for i, one in enumerate(found)]
)


@given(tickets, st.sampled_from([BOX, GPUS]))
def test_no_two_are_given_one_device_and_someone_may_always_go(
    held: list[Ticket], there: list[Slot]
) -> None:
    queue = [ticket for ticket in held if ticket.waits]
    given_ = {t.run: place(t, held, there).slot for t in queue}
    names = [slot.name for slot in given_.values() if slot]
    taken = {turns.candidates(t.device, there)[0].name for t in held if not t.waits}
    assert len(set(names)) == len(names)
    assert not taken & set(names)
    for ticket in queue:
        if given_[ticket.run] is None:
            wanted = {slot.name for slot in turns.candidates(ticket.device, there)}
            assert wanted <= taken | set(names)


# --------------------------------------------------------------------------- facts


def card(uuid: str, **fields: Any) -> dict[str, Any]:
    return {"uuid": uuid, "index": 0, "memory_used": 0, "memory_total": 100, **fields}


def test_gpus_are_slots_unless_others_compute_on_them() -> None:
    told = {
        "gpus": [
            card("a", processes=[]),
            card("b", processes=[{"pid": 1}]),
            card("c", memory_used=50),
            card("d", memory_used=5),
        ]
    }
    assert [(s.name, s.visible, s.stranger) for s in slots.gpus(told)] == [
        ("cuda:0", "a", False),
        ("cuda:1", "b", True),
        ("cuda:2", "c", True),
        ("cuda:3", "d", False),
    ]


def test_a_card_that_is_divided_stands_back_for_its_parts() -> None:
    told = {"gpus": [card("a"), card("MIG-1", parent="a"), card("MIG-2", parent="a"), card("b")]}
    assert [s.visible for s in slots.gpus(told)] == ["MIG-1", "MIG-2", "b"]


@pytest.mark.parametrize("told", [None, [], {}, {"gpus": None}, {"gpus": [3]}, {"gpus": "x"}])
def test_what_says_nothing_has_no_gpus(told: Any) -> None:
    assert slots.gpus(told) == []


def test_this_machine_answers(tmp_path: Path) -> None:
    assert slots.slots(tmp_path)[-1] == Slot(CPU)


# --------------------------------------------------------------------------- tickets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path


def holder(run: Path, waits: bool) -> Any:
    """Another process with a ticket."""
    found = python(
        "from pathlib import Path; from genai_tui.turns import Turns;"
        f"turns = Turns(Path({str(run)!r}), 1.0, 'cpu'); turns.enter(waits={waits});"
        "print('ready', flush=True); input()"
    )
    ready(found)
    return found


def test_a_crash_gives_the_device_back(root: Path) -> None:
    other = holder(root / "a", waits=False)
    mine = Turns(root / "b", 2.0, CPU)
    mine.enter(waits=True)
    assert mine.look(BOX).slot is None
    assert mine.take(BOX) is None
    other.kill()
    other.communicate()
    assert mine.take(BOX) == Slot(CPU)
    assert [path.name for path in sorted((root / ".queue").iterdir())] == ["b.json", "lock"]
    mine.leave()
    assert [path.name for path in (root / ".queue").iterdir()] == ["lock"]


def test_a_device_is_not_free_before_the_worker_has_left(root: Path) -> None:
    other = holder(root / "a", waits=False)
    worker = python(
        "from pathlib import Path; from genai_tui import liveness;"
        f"liveness.hold_worker(Path({str(root / 'a' / 'worker.lock')!r}));"
        "print('ready', flush=True); input()"
    )
    ready(worker)
    mine = Turns(root / "b", 2.0, CPU)
    mine.enter(waits=True)
    for process, free in ((other, False), (worker, True)):
        process.kill()
        process.communicate()
        assert (mine.look(BOX).slot is not None) == free
    mine.leave()


def test_a_ticket_that_cannot_be_read_is_as_if_there_were_none(root: Path) -> None:
    other = holder(root / "a", waits=False)
    (root / ".queue" / "a.json").write_text("{")
    mine = Turns(root / "b", 2.0, CPU)
    mine.enter(waits=True)
    assert mine.look(BOX).slot == Slot(CPU)
    mine.leave()
    other.kill()
    other.communicate()


# --------------------------------------------------------------------------- the wait


class Line:
    """Turns that answer what a test says, one answer a look."""

    def __init__(self, *places: Place) -> None:
        self.places = list(places)

    def look(self, _: Any) -> Place:
        return self.places.pop(0) if len(self.places) > 1 else self.places[0]

    def take(self, known: list[Slot]) -> Slot | None:
        return next((slot for slot in known if not slot.stranger), None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other at once."""
    monkeypatch.setattr("genai_tui.waiting_room.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("genai_tui.waiting_room.STRANGER_SECONDS", 0.0)


def room(line: Any, said: list[str], *found: list[Slot]) -> WaitingRoom:
    finds = iter(found)
    return WaitingRoom(Path("run"), line, said.append, lambda _: next(finds))


def test_a_wait_says_each_place_once_and_ends_with_a_device() -> None:
    said: list[str] = []
    line = Line(
        *[Place(2, 2, words="the CPU")] * 3,
        Place(1, 1, words="the CPU"),
        Place(1, 1, BOX[0], words="the CPU"),
    )
    assert room(line, said, BOX).wait(lambda: False) == Slot(CPU)
    assert said == ["2nd of 2 for the CPU", "1st of 1 for the CPU"]


def test_a_gpu_is_looked_at_again_right_before_it_is_taken() -> None:
    used = [replace(GPUS[0], stranger=True)]
    line = Line(Place(1, 1, GPUS[0], words="cuda:0"))
    assert room(line, [], GPUS, used, used, GPUS).wait(lambda: False) == GPUS[0]


def test_a_stop_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_tui.waiting_room.LOOK_SECONDS", 600.0)
    stopped: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: stopped.append(1))
    said: list[str] = []

    def stop(phrase: str) -> None:
        said.append(phrase)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR2)).start()

    try:
        line: Any = Line(Place(2, 2, words="the CPU"))
        waiting_room = WaitingRoom(Path("run"), line, stop, lambda _: BOX)
        assert waiting_room.wait(lambda: bool(stopped)) is None
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert said == ["2nd of 2 for the CPU"]


# --------------------------------------------------------------------------- real keepers

MODEL: Config = {"width": 4, "latent": 2}
QUIET: Config = {"sample_every": 0, "validate_every": 0, "checkpoint_every": 0, "validation": 0.01}
LOOP: Config = {"steps": 5, "batch_size": 8, "precision": "float32", "threads": 1, **QUIET}


@pytest.fixture
def spec() -> RunSpec:
    """A training of five steps."""
    return RunSpec(
        id="x",
        name="x",
        model="vae/conv",
        dataset="fashion-mini",
        model_config=MODEL,
        train_config=LOOP,
        device=CPU,
    )


def create(store: Store, spec: RunSpec, created: float) -> Run:
    changes = {"id": store.new_id(spec.model), "created": created, "name": f"run {created:g}"}
    return store.create(msgspec.structs.replace(spec, **changes))


@pytest.fixture
def busy(store: Store) -> Iterator[Any]:
    """Somebody who trains on the one slot."""
    (store.root / "other").mkdir(parents=True)
    found = holder(store.root / "other", waits=False)
    yield found
    found.kill()
    found.communicate()


def waits(run: Run) -> str:
    return run.status().waits if run.state() == "queued" else ""


def test_queued_runs_train_one_after_the_other_in_the_order_of_their_creation(
    store: Store, spec: RunSpec, busy: Any
) -> None:
    second, first = create(store, spec, 2.0), create(store, spec, 1.0)
    launch.start(second, queue=True)
    assert second.state() == "queued"
    until(lambda: waits(second) == "1st of 1 for the CPU")
    launch.start(first, queue=True)
    until(lambda: waits(second) == "2nd of 2 for the CPU")
    until(lambda: waits(first) == "1st of 2 for the CPU")
    with pytest.raises(RunError, match="is queued: pause needs a run that is training"):
        second.command("pause")
    with pytest.raises(RunError, match="is training: stop it before you delete it"):
        second.delete()
    with pytest.raises(LaunchError, match="is queued already"):
        launch.resume(second)
    busy.kill()
    busy.communicate()
    until(lambda: second.state() != "queued", 60)
    assert first.state() == "finished"


def test_a_queued_run_is_stopped_without_having_trained(
    store: Store, spec: RunSpec, busy: Any
) -> None:
    run = create(store, spec, 1.0)
    launch.start(run, queue=True)
    until(lambda: waits(run) == "1st of 1 for the CPU")
    run.command("stop")
    until(lambda: run.state() == "stopped")
    until(lambda: not run.is_held())
    assert run.status().reason == "stopped while it was queued"
    assert not run.records.exists()


def test_a_keeper_that_dies_in_the_queue_leaves_an_interrupted_run_that_can_be_resumed(
    store: Store, spec: RunSpec, busy: Any
) -> None:
    run, other = create(store, spec, 1.0), create(store, spec, 2.0)
    for one in (run, other):
        launch.start(one, queue=True)
    until(lambda: waits(other) == "2nd of 2 for the CPU")
    keeper = run.status().keeper
    assert keeper is not None
    liveness.send(liveness.Identity(keeper.pid, keeper.started), signal.SIGKILL)
    until(lambda: run.state() == "interrupted")
    until(lambda: waits(other) == "1st of 1 for the CPU")
    launch.resume(run)  # at once: who asks for it now does not stand in line
    assert run.state() == "starting"


def test_a_run_that_is_started_at_once_holds_back_those_who_wait(
    store: Store, spec: RunSpec
) -> None:
    long = msgspec.structs.replace(spec, train_config={**LOOP, "steps": 100_000})
    running, queued = create(store, long, 1.0), create(store, spec, 2.0)
    launch.start(running)
    launch.start(queued, queue=True)
    until(lambda: waits(queued) == "1st of 1 for the CPU")
    running.command("stop")
    until(lambda: queued.state() != "queued", 60)
    assert running.state() == "stopped"
