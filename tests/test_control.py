"""Commands arrive whole, once and in order, whoever else writes into the folder."""

import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from strategies import damaged, json_texts, struct

from backends import records
from backends.records import Command, SampleRequest
from genai_tui import control
from genai_tui.visible import visible

orders = st.builds(replace, struct(Command), id=st.sampled_from(["a", "\x1b]0;b\x07"]) | st.text())
contents = st.one_of(
    *(orders.map(records.encode), damaged(orders.map(records.encode))),
    *(json_texts, st.binary(max_size=40)),
)
"""Of files that say they are commands."""
turns = st.builds("{:020d}-x".format, st.integers(0, 10**20 - 1)) | st.just("9" * 20 + "-x")
odd = st.binary(min_size=1, max_size=30).filter(lambda name: not set(name) & set(b"/\0"))
names = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "."]),
    turns | odd.map(os.fsdecode),
    st.sampled_from([".json", ".json", ".json", ""]),
).filter(lambda name: name not in (".", ".."))
entries = st.tuples(names, st.sampled_from(["file", "folder", "link", "fifo"]))
ours = st.tuples(st.tuples(turns.map("{}.json".format), st.just("file")), contents)
folders = st.lists(ours | st.tuples(entries, contents), max_size=8, unique_by=lambda one: one[0][0])


def fill(folder: Path, found: list[tuple[tuple[str, str], bytes]]) -> None:
    folder.mkdir()
    for (name, kind), content in found:
        if kind == "file":
            (folder / name).write_bytes(content)
        elif kind == "folder":
            (folder / name).mkdir()
        elif kind == "link":
            (folder / name).symlink_to(__file__)
        else:
            os.mkfifo(folder / name)


def is_for_us(name: str, kind: str) -> bool:
    return kind == "file" and name.endswith(".json") and not name.startswith(".")


def understood(content: bytes) -> Command | None:
    try:
        return records.decode_command(content)
    except records.UNREADABLE:
        return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "control"


def test_commands_come_in_the_order_they_were_given(folder: Path) -> None:
    given = [control.put(folder, verb) for verb in ("pause", "sample", "resume", "stop") * 5]
    assert list(control.take(folder)) == given
    assert list(control.take(folder)) == []


def test_a_command_keeps_what_it_was_given(folder: Path) -> None:
    request = SampleRequest(count=4, seed=7, labels=[1, 2], temperature=0.5)
    control.put(folder, "sample", request=request)
    control.put(folder, "set", knob="lr", value=1e-3)
    sample, change = control.take(folder)
    assert isinstance(sample, Command)
    assert isinstance(change, Command)
    assert sample.request == request
    assert (change.verb, change.knob, change.value) == ("set", "lr", 1e-3)
    assert sample.by
    assert sample.id != change.id


def test_a_folder_that_is_not_there_has_no_commands(folder: Path) -> None:
    assert list(control.take(folder)) == []
    control.clear(folder)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"null",
        b'{"id":"1","verb":"explode","t":1.0}',
        b'{"id":1,"verb":"stop","t":1.0}',
        b'{"verb":"stop"}',
        b'{"id":"\xff","verb":"stop","t":1.0}',
        b'{"id":"1","verb":"stop","t":1.0,"x":' + b"[" * 60_000,
        b"\0" * 3_000_000,
    ],
    ids=["empty", "torn", "null", "verb", "id", "lacking", "not utf-8", "deep", "large"],
)
def test_a_file_that_is_no_command_comes_as_its_name_and_only_once(
    folder: Path, garbage: bytes
) -> None:
    before = control.put(folder, "pause")
    (folder / "00000000000000000001-x.json").write_bytes(garbage)
    after = control.put(folder, "stop")
    assert list(control.take(folder)) == ["00000000000000000001-x.json", before, after]
    assert list(control.take(folder)) == []


def test_what_is_being_written_or_is_no_file_waits(folder: Path) -> None:
    stop = control.put(folder, "stop")
    (folder / ".half").write_bytes(b'{"id":')
    (folder / "note.txt").write_text("not for you")
    (folder / "0.json").mkdir()
    (folder / "1.json").symlink_to(folder / "note.txt")
    assert list(control.take(folder)) == [stop]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".half",
        "0.json",
        "1.json",
        "note.txt",
    ]


def test_many_viewers_at_once_lose_nothing(folder: Path) -> None:
    given: list[list[str]] = [[] for _ in range(6)]

    def ask(mine: list[str]) -> None:
        for _ in range(25):
            mine.append(control.put(folder, "sample").id)

    writers = [threading.Thread(target=ask, args=(mine,)) for mine in given]
    for writer in writers:
        writer.start()
    taken: list[str] = []
    while any(writer.is_alive() for writer in writers) or len(taken) < 150:
        found = list(control.take(folder))
        assert all(isinstance(command, Command) for command in found)
        taken += [command.id for command in found if isinstance(command, Command)]
    for writer in writers:
        writer.join()
    assert len(taken) == len(set(taken)) == 150
    for mine in given:
        assert [identity for identity in taken if identity in mine] == mine


def test_two_takers_share_and_do_not_repeat(folder: Path) -> None:
    given = {control.put(folder, "sample").id for _ in range(200)}
    taken: list[Command | str] = []

    def take() -> None:
        taken.extend(control.take(folder))

    takers = [threading.Thread(target=take) for _ in range(2)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(command.id for command in taken if isinstance(command, Command)) == sorted(given)


def test_a_pause_within_a_batch_lets_its_own_reader_take_the_rest(folder: Path) -> None:
    """The loop asks again while it is paused, in the middle of an earlier answer."""
    control.put(folder, "pause")
    rest = [control.put(folder, verb) for verb in ("sample", "resume")]
    outer = control.take(folder)
    assert next(outer)
    assert list(control.take(folder)) == rest
    assert list(outer) == []


def test_forgotten_commands_are_gone(folder: Path) -> None:
    control.put(folder, "stop")
    (folder / "0.json").write_bytes(b"garbage")
    control.clear(folder)
    assert list(folder.iterdir()) == []


def test_a_command_is_for_its_owner_alone(folder: Path) -> None:
    control.put(folder, "stop")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert records.decode_command(file.read_bytes()).verb == "stop"


# --------------------------------------------------------------------------- whatever lies there


@settings(max_examples=60)
@given(folders)
def test_of_whatever_lies_there_each_command_is_taken_once_and_the_rest_is_named(
    found: list[tuple[tuple[str, str], bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, complaints = Path(scratch, "control"), list[str]()
        fill(folder, found)
        inbox = control.Inbox(folder, complaints.append)
        taken = list(inbox.take())
        meant = sorted((name, content) for (name, kind), content in found if is_for_us(name, kind))
        said = [understood(content) for _, content in meant]
        first = {command.id: command for command in reversed(said) if command is not None}
        assert {command.id: command for command in taken} == first
        assert taken == [one for one in said if one is not None and one is first[one.id]]
        assert len(complaints) == len(meant) - len(taken)
        assert all(visible(complaint) == complaint for complaint in complaints)
        left = {os.fsdecode(name) for name in os.listdir(os.fsencode(folder))}
        assert left == {name for (name, kind), _ in found if not is_for_us(name, kind)}
        assert list(inbox.take()) == []


@settings(max_examples=60)
@given(folders)
def test_whatever_lies_there_ones_own_commands_keep_their_order(
    found: list[tuple[tuple[str, str], bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "control")
        fill(folder, found)
        given_ = [control.put(folder, verb) for verb in ("pause", "sample", "resume", "stop")]
        assert [command for command in control.take(folder) if command in given_] == given_


def test_a_command_that_is_left_twice_is_carried_out_once(folder: Path) -> None:
    complaints: list[str] = []
    inbox = control.Inbox(folder, complaints.append)
    stop = control.put(folder, "stop")
    [file] = folder.iterdir()
    content = file.read_bytes()
    (folder / "copy.json").write_bytes(content)
    assert list(inbox.take()) == [stop]
    file.write_bytes(content)
    assert list(inbox.take()) == []
    assert complaints == [f"command {stop.id} came again: it is carried out once"] * 2


def test_a_file_in_the_place_of_the_folder_has_no_commands(folder: Path) -> None:
    folder.write_text("hello")
    assert list(control.take(folder)) == []


def test_a_command_that_cannot_be_taken_away_is_not_carried_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be, at every look: a folder of somebody else's, a file system that is read-only."""
    control.put(folder, "stop")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert list(control.take(folder)) == []
