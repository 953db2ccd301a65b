"""The log loses little, invents nothing and never raises, whatever becomes of its bytes."""

import errno
import json
import os
import stat
import threading
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_record

from backends.records import Notice, Record, Start, Step
from genai_tui import log
from genai_tui.log import Log

RECORDS: list[Record] = [
    Start(step=0, t=1.0, attempt=1, of=40),
    *[Step(step=n, t=n + 0.25, values={"loss": 1 / n, "lr": 1e-3}) for n in range(1, 21)],
    Notice(step=20, t=3.0, text='a "quoted" line\nof text, "crc":"00000000"}'),
    Step(step=21, t=4.0, values={"loss": "NaN", "grad_norm": "Infinity"}),
]
WHOLE = b"".join(log.line(record) for record in RECORDS)


def write(path: Path, records: list[Record]) -> None:
    pen = Log(path)
    for record in records:
        pen.append(record)
    pen.close()


def read_all(path: Path, limit: int = log.LIMIT) -> tuple[list[Record], int]:
    """All records of a log, read piece by piece, and how many lines of it are damaged."""
    found: list[Record] = []
    offset, damaged, more = 0, 0, True
    while more:
        chunk = log.read(path, offset, limit)
        assert chunk.offset >= offset
        more = chunk.more and chunk.offset > offset
        offset, damaged = chunk.offset, damaged + chunk.damaged
        found += chunk.records
    return found, damaged


def is_part(found: list[Record], of: list[Record]) -> bool:
    """Whether ``found`` is ``of`` with some records left out."""
    rest: Iterator[Record] = iter(of)
    return all(any(record == other for other in rest) for record in found)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "records.jsonl"


@given(st.lists(any_record(), max_size=6))
def test_what_was_appended_is_read(scratch: Path, records: list[Record]) -> None:
    scratch.unlink(missing_ok=True)
    write(scratch, records)
    assert read_all(scratch) == (records, 0)


@given(any_record())
def test_a_line_is_json_that_any_tool_reads(record: Record) -> None:
    line = log.line(record)
    assert line.count(b"\n") == 1
    assert json.loads(line)["kind"] == type(record).__name__.lower()
    assert log.parse(line[:-1]) == record


def test_every_truncation_leaves_a_prefix(scratch: Path) -> None:
    scratch.write_bytes(WHOLE)
    for size in reversed(range(len(WHOLE))):
        os.truncate(scratch, size)
        found, damaged = read_all(scratch)
        assert found == RECORDS[: WHOLE[:size].count(b"\n")]
        assert damaged == 0  # a torn tail may still be being written


edits = st.tuples(
    st.sampled_from(["flip", "cut", "insert", "zero", "copy"]),
    st.integers(0, len(WHOLE) - 1),
    st.integers(1, 300),
    st.binary(min_size=1, max_size=40),
)


def edited(data: bytes, edit: tuple[str, int, int, bytes]) -> bytes:
    kind, at, size, noise = edit
    at = min(at, len(data))
    changed = {
        "flip": data[:at] + bytes([data[at] ^ (1 << size % 8)] if at < len(data) else []),
        "cut": data[:at],
        "insert": data[:at] + noise + data[at : at + size],
        "zero": data[:at] + b"\0" * size,
        "copy": data[: at + size] + data[at : at + size],
    }[kind]
    return changed + data[at + (1 if kind == "flip" else size) :]


@given(st.lists(edits, min_size=1, max_size=4))
def test_no_damage_makes_a_false_record(
    scratch: Path, damage: list[tuple[str, int, int, bytes]]
) -> None:
    data = WHOLE
    for edit in damage:
        data = edited(data, edit)
    scratch.write_bytes(data)
    found, _ = read_all(scratch)
    copies = sum(edit[0] == "copy" for edit in damage)
    assert all(record in RECORDS for record in found)
    assert len(found) <= len(RECORDS) + 3 * copies
    assert copies or is_part(found, RECORDS)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_a_flipped_bit_costs_at_most_two_records(scratch: Path, at: int, bit: int) -> None:
    scratch.write_bytes(WHOLE[:at] + bytes([WHOLE[at] ^ (1 << bit)]) + WHOLE[at + 1 :])
    found, _ = read_all(scratch)
    assert len(found) >= len(RECORDS) - 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"notice","step":1,"t":1.0,"text":"\xff\xfe"',
        b'{"kind":"notice","step":1,"t":1.0,"text":"\\ud800"',
        b'{"kind":"step","step":1,"t":1.0,"x":' + b"[" * 100_000 + b"]" * 100_000,
        b'{"kind":"step","step":1e400,"t":1.0',
        b"",
        b"[1,2",
    ],
    ids=["not utf-8", "half a character", "deep", "huge", "empty", "no object"],
)
def test_a_line_with_the_right_checksum_and_wrong_content_is_damaged(
    scratch: Path, body: bytes
) -> None:
    line = b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    scratch.write_bytes(WHOLE + line + WHOLE)
    assert read_all(scratch) == (RECORDS + RECORDS, 1)


LONGEST = max(len(line) + 1 for line in WHOLE.split(b"\n"))


def test_a_kind_of_record_that_a_later_version_writes_is_passed_over(scratch: Path) -> None:
    body = b'{"kind":"hologram","step":1,"t":1.0,"depth":[1,2]'
    later = b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    scratch.write_bytes(later + WHOLE + later.replace(b"1.0", b"1.5"))
    assert read_all(scratch) == (RECORDS, 1)  # the last one, whose checksum is wrong


@given(st.integers(LONGEST, len(WHOLE) + 10), st.integers(0, len(WHOLE)))
def test_reading_in_pieces_is_reading_at_once(scratch: Path, limit: int, torn: int) -> None:
    scratch.write_bytes(WHOLE + WHOLE[:torn])
    assert read_all(scratch, limit) == read_all(scratch)


def test_a_line_that_is_too_long_is_passed_over(scratch: Path) -> None:
    long = Notice(step=5, t=1.0, text="x" * 5000)
    scratch.write_bytes(WHOLE + log.line(long) + WHOLE)
    assert read_all(scratch)[0] == [*RECORDS, long, *RECORDS]
    found, damaged = read_all(scratch, limit=LONGEST + 50)
    assert found == RECORDS + RECORDS
    assert damaged >= 1


def test_the_next_writer_seals_a_torn_tail(scratch: Path) -> None:
    ends = [0, *[i + 1 for i, byte in enumerate(WHOLE) if byte == 10]]
    for begin, end in pairwise(ends[:3]):
        for size in range(begin + 1, end):
            scratch.write_bytes(WHOLE[:size])
            write(scratch, RECORDS[:2])
            whole = ends.index(begin)
            assert scratch.read_bytes().startswith(WHOLE[:size])  # sealed, never truncated
            last = [] if size < end - 1 else [RECORDS[whole]]  # all but its newline was there
            found, damaged = read_all(scratch)
            assert found == [*RECORDS[:whole], *last, *RECORDS[:2]]
            assert damaged == (0 if last else 1)


def test_a_writer_that_met_a_full_disk_does_not_spoil_its_next_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write_all = tmp_path / "records.jsonl", os.write
    pen = Log(path)
    pen.append(RECORDS[0])
    room = 30

    def nearly_full(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written, room = write_all(fd, data[:room]), 0
        return written

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(OSError, match="No space left"):
        pen.append(RECORDS[1])
    monkeypatch.undo()
    pen.append(RECORDS[2])
    assert read_all(path) == ([RECORDS[0], RECORDS[2]], 1)


def test_a_record_is_whole_though_the_system_takes_it_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write_all(fd, data[:7]))
    write(tmp_path / "records.jsonl", RECORDS)
    monkeypatch.undo()
    assert (tmp_path / "records.jsonl").read_bytes() == WHOLE


def test_a_missing_log_has_no_records(tmp_path: Path) -> None:
    assert log.read(tmp_path / "none.jsonl", 500) == log.Chunk()


def test_a_log_that_shrank_is_read_from_its_beginning(scratch: Path) -> None:
    scratch.write_bytes(WHOLE)
    offset = log.read(scratch).offset
    scratch.write_bytes(log.line(RECORDS[0]))
    assert log.read(scratch, offset).records == RECORDS[:1]


def test_a_reader_beside_the_writer_gets_all_in_order(tmp_path: Path) -> None:
    path, found, offset = tmp_path / "records.jsonl", list[Record](), 0
    records: list[Record] = [Step(step=n, t=0.0, values={"loss": 0.5}) for n in range(2000)]
    writer = threading.Thread(target=write, args=(path, records))
    writer.start()
    while len(found) < len(records) and (writer.is_alive() or log.read(path, offset).records):
        chunk = log.read(path, offset, 4096)
        found, offset = found + chunk.records, chunk.offset
        assert chunk.damaged == 0
    writer.join()
    assert found == records


def test_the_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    write(tmp_path / "records.jsonl", RECORDS[:1])
    assert stat.S_IMODE((tmp_path / "records.jsonl").stat().st_mode) == 0o600
