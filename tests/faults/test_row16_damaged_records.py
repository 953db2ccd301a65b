"""Row 16: records that are damaged: mutations of every kind, cuts at every byte of the last lines.

No reader ever shows a record that was not written; a flipped bit costs at most two; the fold takes
what is left, and the next attempt goes on behind the damage.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import run, tiny

from backends.records import Notice, Record, encode
from faults.scorecard import Entry, counts
from genai_tui.history import History
from genai_tui.log import Log, line, read

NEXT = Notice(step=40, t=1.0, text="the next attempt")
Mutation = Callable[[bytearray, random.Random], None]


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    at, size = chance.randrange(len(data)), chance.randint(1, 200)
    data[at : at + size] = chance.randbytes(len(data[at : at + size]))


def _zero(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))


def _remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 400)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randint(1, 100))


def _move(data: bytearray, chance: random.Random) -> None:
    """Pieces of some lines within others, as a block that was written to a wrong place."""
    at, to, size = chance.randrange(len(data)), chance.randrange(len(data)), chance.randint(1, 600)
    data[to : to + size] = data[at : at + size]


def _edit(data: bytearray, chance: random.Random) -> None:
    """A digit for another one, as somebody would who wants a better loss."""
    digits = [index for index, byte in enumerate(data) if chr(byte).isdecimal()]
    data[chance.choice(digits)] = ord(chance.choice("0123456789"))


def _break(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = ord("\n")


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _overwrite, _zero, _remove, _insert, _move, _edit, _break),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Record]]:
    """The log of a training that drew, judged and saved."""
    knobs = {"steps": 30, "sample_every": 10, "validate_every": 10, "checkpoint_every": 10}
    records = run(tmp_path_factory.mktemp("whole"), tiny(), **knobs)
    return b"".join(line(record) for record in records), records


@counts("times", quick=240, full=3000)
def test_no_damage_makes_a_false_record(
    times: int, whole: tuple[bytes, list[Record]], tmp_path: Path, scorecard: Entry
) -> None:
    data, records = whole
    path, chance, lost = tmp_path / "records.jsonl", random.Random(16), 0
    true = {encode(record) for record in records}
    for turn in range(times):
        mutation, damaged = MUTATIONS[turn % len(MUTATIONS)], bytearray(data)
        mutation(damaged, chance)
        path.write_bytes(damaged)
        found = all_of(path)
        lost += any(encode(record) not in true for record in found)
        if mutation is _flip:
            lost += len(found) < len(records) - 2
        lost += not is_gone_on(path, found)
    scorecard(row=16, tried=times, lost=lost)


def test_a_log_that_is_cut_anywhere_in_its_last_two_lines(
    whole: tuple[bytes, list[Record]], tmp_path: Path, scorecard: Entry
) -> None:
    data, records = whole
    path, lost = tmp_path / "records.jsonl", 0
    tail = len(line(records[-1])) + len(line(records[-2]))
    for size in range(len(data) - tail, len(data)):
        path.write_bytes(data[:size])
        found = all_of(path)
        lost += found != records[: data[:size].count(b"\n")]
        lost += not is_gone_on(path, found)
    scorecard(row=16, tried=tail, lost=lost)


def all_of(path: Path) -> list[Record]:
    """What a reader gets, a kilobyte at a time, as the fold takes it as well."""
    found: list[Record] = []
    history, offset, more = History(), 0, True
    while more:
        chunk = read(path, offset, 1 << 14)
        history.fold(chunk.records, chunk.damaged)
        found, offset, more = found + chunk.records, chunk.offset, chunk.more
    return found


def is_gone_on(path: Path, before: list[Record]) -> bool:
    """Whether the next attempt's records are read, and none of those before is lost by them."""
    log = Log(path)
    log.append(NEXT)
    log.close()
    after = all_of(path)
    whole_tail = len(after) - 1 - len(before)
    return after[-1] == NEXT and after[: len(before)] == before and whole_tail in (0, 1)
