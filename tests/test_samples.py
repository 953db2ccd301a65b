"""What the time machine stands on: places among steps, what differs, sounds, hostile folders."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui import sample_files, sounds, stars
from genai_tui.differences import changed_share, changes, heat
from genai_tui.moments import Moments, nearest
from genai_tui.sample_files import Drawn, Told
from genai_tui.widgets.sample_pages import Look, Place, Room, read_page
from genai_tui.widgets.timeline import NOW, Course, column, numbers, signs

STEPS = st.lists(st.integers(0, 10**7), unique=True, max_size=60).map(sorted)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


def drawn_at(steps: list[int]) -> list[Drawn]:
    return [Drawn(step, f"samples/step-{step:06d}") for step in steps]


@given(STEPS, st.lists(st.integers(-5, 5), max_size=20))
def test_one_never_leaves_the_steps(steps: list[int], moves: list[int]) -> None:
    moments = Moments()
    moments.tell(drawn_at(steps))
    for move in moves:
        moments.scrub(move)
        assert (moments.now is None) == (not steps)
        assert moments.now is None or moments.now in moments.drawn
        assert moments.reference is None or moments.reference != moments.now


@given(STEPS, st.integers(0, 60), st.integers(0, 10**7))
def test_one_stays_where_one_is_when_steps_are_added(steps: list[int], at: int, more: int) -> None:
    moments = Moments()
    moments.tell(drawn_at(steps))
    moments.go(at)
    before, followed = moments.now, moments.is_newest
    moments.tell(drawn_at(sorted({*steps, more})))
    assert moments.now == (before if not followed else moments.drawn[-1])


def test_a_marked_step_is_what_one_compares_with_until_it_is_gone() -> None:
    moments = Moments("samples/step-000200")
    moments.tell(drawn_at([0, 100, 200, 300]))
    assert moments.now == Drawn(200, "samples/step-000200")
    assert moments.reference == Drawn(100, "samples/step-000100")
    moments.toggle_mark()
    assert moments.reference == Drawn(100, "samples/step-000100")
    moments.go(3)
    assert moments.reference == Drawn(200, "samples/step-000200")
    moments.tell(drawn_at([0, 300]))
    assert moments.reference == Drawn(0, "samples/step-000000")


@given(STEPS, st.integers(0, 10**7))
def test_of_another_run_the_last_samples_not_beyond_the_step_are_seen(
    steps: list[int], step: int
) -> None:
    found = nearest(drawn_at(steps), step)
    until = [one for one in steps if one <= step]
    assert (found.step if found else None) == (until[-1] if until else min(steps, default=None))


# ---------------------------------------------------------------------------- the line of steps


@given(STEPS, st.integers(0, 59), st.integers(2, 120))
def test_the_line_has_a_sign_for_where_one_is_and_fits(
    steps: list[int], now: int, width: int
) -> None:
    course = Course(drawn_at(steps), min(now, len(steps) - 1))
    line = signs(course, width)
    assert len(line) == width
    assert line.count(NOW) == bool(steps)
    assert len(numbers(course, width)) <= width
    columns = [column(index, len(steps), width) for index in range(len(steps))]
    assert columns == sorted(columns)
    assert all(0 <= at < width for at in columns)


# ---------------------------------------------------------------------------- what differs


@given(TEXTS, TEXTS)
def test_a_text_with_its_changes_marked_is_still_that_text(before: str, after: str) -> None:
    found = changes(before, after)
    assert "".join(passage.text for passage in found) == after
    assert all(not passage.changed for passage in changes(after, after))
    assert 0 <= changed_share(found) <= 1


def test_words_are_marked_as_a_whole_in_long_texts_and_letters_in_short_ones() -> None:
    assert [p.text for p in changes("Anna", "Anne") if p.changed] == ["e"]
    start = "It was the best of times, it was the worst of times, it was the age of wisdom and "
    found = changes(start + "foolishness.", start + "foolhardiness.")
    assert [p.text for p in found if p.changed] == ["foolhardiness"]


def test_the_heat_is_the_greatest_difference_of_the_channels_and_says_its_scale() -> None:
    one = np.zeros((2, 2, 3), np.uint8)
    other = one.copy()
    other[0, 0] = (10, 50, 0)
    found = heat(one, other)
    assert (found.most, found.mean) == (50, 12.5)
    assert found.picture[0, 0].tolist() == [252, 255, 164]
    assert found.picture[1, 1].tolist() == [0, 0, 4]
    assert found.scale == "difference, black 0 to yellow 50 of 255 · mean 12.5"
    assert heat(one, one).scale == "no difference"
    with pytest.raises(ValueError, match="3 x 2 and 2 x 2"):
        heat(one, np.zeros((2, 3, 3), np.uint8))


# ---------------------------------------------------------------------------- sounds


def save(path: Path, data: np.ndarray, width: int, channels: int = 1, rate: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


def test_sounds_of_every_width_are_read_alike(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(800) / 8000 * 2 * np.pi * 2000)
    whole = (tone * (2**31 - 1)).astype("<i4")
    packed = whole.view(np.uint8).reshape(-1, 4)[:, 1:]
    both = np.repeat((tone * 32767).astype("<i2"), 2)
    for name, data, width, channels in (
        ("a", (tone * 127 + 128).astype(np.uint8), 1, 1),
        ("b", (tone * 32767).astype("<i2"), 2, 1),
        ("c", packed, 3, 1),
        ("d", whole, 4, 1),
        ("e", both, 2, 2),
    ):
        sound = sounds.read(save(tmp_path / name, np.ascontiguousarray(data), width, channels))
        assert np.abs(sound.samples - tone).max() < 0.02, name
        assert sound.seconds == 0.1
        assert -6.2 < sound.peak < -5.9


def test_the_spectrogram_is_brightest_where_the_tone_is(tmp_path: Path) -> None:
    tone = 0.9 * np.sin(np.arange(8000) / 8000 * 2 * np.pi * 1000)
    sound = sounds.read(save(tmp_path / "a.wav", (tone * 32767).astype("<i2"), 2))
    picture = sounds.draw(sound, 60, 50).astype(int).sum(axis=2)
    spectrum = picture[21:]
    brightest = 1 - spectrum[:, 30].argmax() / len(spectrum)
    assert abs(brightest - 1000 / 4000) < 0.08
    assert "1.00 s · 8,000 Hz" in sound.caption


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEfmt ", bytes(200)])
def test_what_is_no_sound_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "000.wav"
    path.write_bytes(data)
    with pytest.raises(sounds.SoundError, match="cannot be read as a sound"):
        sounds.read(path)


# ---------------------------------------------------------------------------- hostile folders


@given(st.binary(max_size=200))
def test_any_request_file_is_read_or_is_none(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    run = tmp_path_factory.getbasetemp() / "any-request"
    (run / "samples").mkdir(parents=True, exist_ok=True)
    (run / "samples" / "request.json").write_bytes(data)
    assert isinstance(sample_files.told(run, "samples"), Told)


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 300, "全" * 100, "y/" * 3000, "..", "/etc", "\ud800"]
)
def test_a_folder_of_a_name_that_no_file_can_have_is_empty(tmp_path: Path, name: str) -> None:
    assert sample_files.told(tmp_path, f"samples/{name}") == Told()
    assert not sample_files.find(tmp_path, f"samples/{name}")


def test_names_that_are_no_steps_are_left_out(tmp_path: Path) -> None:
    names = ["step-7", "step-000010-abc", "step-", "step-x", "other", "step-٣", f"step-{10**30}"]
    for name in names:
        (tmp_path / "samples" / name).mkdir(parents=True)
    found = sample_files.listing(tmp_path)
    assert [(one.step, one.relative, one.asked) for one in found] == [
        (7, "samples/step-7", False),
        (10, "samples/step-000010-abc", True),
    ]


@pytest.mark.parametrize("name", ["request.json", "stars.json"])
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "samples" / "step-000001"
    folder.mkdir(parents=True)
    os.mkfifo((folder if name == "request.json" else tmp_path) / name)
    assert sample_files.told(tmp_path, "samples/step-000001") == Told()
    assert stars.read(tmp_path) == {}


def test_a_page_says_why_there_is_nothing_to_see(tmp_path: Path) -> None:
    place = Place(tmp_path, "samples/step-000001")
    room = Room(40, 20, "half")
    assert read_page(Look(place), room).problem == "these samples are no longer on disk"
    (tmp_path / place.relative).mkdir(parents=True)
    (tmp_path / place.relative / "000.png").write_bytes(b"no")
    assert "no longer" in read_page(Look(place), room).problem
    assert "000.png cannot be read" in read_page(Look(place, tile=0), room).problem
    assert "no sample 5" in read_page(Look(place, tile=4), room).problem
    (tmp_path / place.relative / "000.wav").write_bytes(b"no")
    assert "cannot be read as a sound" in read_page(Look(place, tile=0), room).problem
