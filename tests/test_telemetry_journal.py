"""A run's telemetry.jsonl: bounded, private, and readable however damaged."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Gpu, GpuProcess, Host, Telemetry, Worker, decode, encode

SAMPLE = Telemetry(
    t=1795428930.25,
    gpus=[Gpu("GPU-a", 0, "Stub", 37.0, processes=[GpuProcess(12, None)], problem="power: no")],
    host=Host(cpu=12.5, cores=2),
    worker=Worker(4242, 99.0, 2**30),
)


def at(t: float) -> Telemetry:
    return Telemetry(t=t)


def read_all(path: Path, limit: int = 1000) -> tuple[list[Telemetry], int]:
    """Everything, in as many calls as it takes; the calls must end."""
    samples: list[Telemetry] = []
    offset = damaged = 0
    while True:
        reading = journal.read(path, offset, limit)
        samples += reading.samples
        damaged += reading.damaged
        if reading.offset == offset:
            return samples, damaged
        assert reading.offset > offset
        offset = reading.offset


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    journal.append(tmp_path, SAMPLE)
    journal.append(tmp_path, at(2))
    path = tmp_path / journal.NAME
    first = journal.read(path, 0, 1)
    assert first.samples == [SAMPLE]
    second = journal.read(path, first.offset, 10)
    assert second == ([at(2)], path.stat().st_size, 0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_unknown_is_null_and_never_zero() -> None:
    line = encode(Telemetry(t=1, gpus=[Gpu("GPU-a")]))
    assert line.count(b"null") == 14 + 13 + 1
    assert decode(b'{"t":1}') == at(1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"t":-1}',
        b'{"t":1e300}',
        b'{"t":1,"host":{"memory_total":-5}}',
        b'{"t":1,"host":{"memory_total":' + b"9" * 400 + b"}}",
        b'{"t":1,"gpu_problem":"\xff"}',
        b'{"t":1,"extra":' + b"[" * 100_000,
        b'{"t":NaN}',
        b"null",
    ],
)
def test_a_line_that_no_sampler_writes_is_damaged(line: bytes) -> None:
    assert decode(line) is None


def test_a_torn_line_waits_for_its_rest_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / journal.NAME
    line = encode(SAMPLE) + b"\n"
    path.write_bytes(line + line[:20])
    torn = journal.read(path)
    assert torn == ([SAMPLE], len(line), 0)
    journal.append(tmp_path, at(2))  # by the poller of the next attempt
    assert journal.read(path, torn.offset)[::2] == ([at(2)], 1)


def test_the_file_is_bounded_and_one_old_one_is_kept(tmp_path: Path) -> None:
    limit = 10 * len(encode(at(100)))
    for t in range(100, 150):
        journal.append(tmp_path, at(t), limit)
    files = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert files.keys() == {journal.NAME, journal.OLD}
    assert max(files.values()) <= limit
    old, new = (read_all(tmp_path / name)[0] for name in (journal.OLD, journal.NAME))
    times = [sample.t for sample in old + new]
    assert times == list(range(150 - len(times), 150))


def test_a_reader_of_a_rotated_file_begins_anew(tmp_path: Path) -> None:
    journal.append(tmp_path, SAMPLE)
    offset = journal.read(tmp_path / journal.NAME).offset
    journal.append(tmp_path, at(2), limit=0)
    assert journal.read(tmp_path / journal.NAME, offset).samples == [at(2)]


def test_a_negative_offset_begins_at_a_whole_line_near_the_end(tmp_path: Path) -> None:
    for t in range(100, 110):
        journal.append(tmp_path, at(t))
    path = tmp_path / journal.NAME
    line = len(encode(at(100))) + 1
    for back, count in [(1, 0), (line - 1, 0), (line, 1), (line + 1, 1), (3 * line, 3), (9999, 10)]:
        reading = journal.read(path, -back)
        assert (len(reading.samples), reading.damaged) == (count, 0)


def test_a_line_too_long_for_a_sample_is_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / journal.NAME
    path.write_bytes(b"x" * (2 * journal.READ_BYTES + 5) + b"\n" + encode(SAMPLE) + b"\n")
    samples, damaged = read_all(path)
    assert samples == [SAMPLE]
    assert damaged


def test_what_cannot_be_read_gives_nothing(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "absent", 7) == ([], 0, 0)
    assert journal.read(tmp_path, 7) == ([], 7, 0)


def test_no_file_outside_the_run_is_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    run = tmp_path / "run"
    run.mkdir()
    (run / journal.NAME).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        journal.append(run, SAMPLE)
    assert victim.read_bytes() == b""


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        journal.append(tmp_path / "gone", SAMPLE)


good = st.builds(at, st.floats(0, 1e9)).map(encode)
damaged_lines = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b""))
cut = st.tuples(good, st.integers(0, 40)).map(lambda pair: pair[0][: pair[1]])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / journal.NAME


@given(lines=st.lists(good | damaged_lines | cut), tail=st.just(b"") | cut, limit=st.integers(1, 4))
def test_every_whole_line_is_read_and_every_damaged_one_counted(
    scratch: Path, lines: list[bytes], tail: bytes, limit: int
) -> None:
    scratch.write_bytes(b"".join(line + b"\n" for line in lines) + tail)
    expected = [sample for sample in map(decode, lines) if sample]
    damaged = sum(1 for line in lines if line and not decode(line))
    assert read_all(scratch, limit) == (expected, damaged)


@given(
    count=st.integers(0, 5),
    flips=st.lists(st.tuples(st.integers(0), st.integers(0, 255))),
    offset=st.integers(-999, 999),
)
def test_no_flipped_byte_and_no_offset_raises(
    scratch: Path, count: int, flips: list[tuple[int, int]], offset: int
) -> None:
    content = bytearray((encode(SAMPLE) + b"\n") * count + b"\n")
    for place, value in flips:
        content[place % len(content)] = value
    scratch.write_bytes(content)
    reading = journal.read(scratch, offset)
    assert 0 <= reading.offset <= os.path.getsize(scratch)


def test_what_was_measured_around_a_moment_is_found_wherever_it_is(tmp_path: Path) -> None:
    for second in range(4000):
        journal.append(tmp_path, Telemetry(t=float(second)), limit=100_000)
    assert (tmp_path / "telemetry.1.jsonl").exists()
    kept = [sample.t for sample in journal.around(tmp_path, 2000.0, 1e9)]
    assert kept == sorted(kept)
    for moment in (kept[0], 2500.3, 3000.0, 3999.0):
        found = [sample.t for sample in journal.around(tmp_path, moment, 10.0)]
        assert found == [t for t in kept if abs(t - moment) <= 10]
    assert journal.around(tmp_path, 9e9, 10.0) == []
    assert journal.around(tmp_path / "gone", 3.0, 10.0) == []


@given(st.lists(st.binary(max_size=40), max_size=5), st.floats(0, 100))
def test_damaged_lines_hide_no_others(lines: list[bytes], moment: float) -> None:
    with TemporaryDirectory() as folder:
        data = b"\n".join([*lines, encode(Telemetry(t=50.0)), *lines, b""])
        (Path(folder) / "telemetry.jsonl").write_bytes(data)
        found = journal.around(Path(folder), moment, 10.0)
        assert any(sample.t == 50 for sample in found) is (abs(moment - 50) <= 10)
