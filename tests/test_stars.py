"""The file of stars: what is kept of steps and of single samples, and that nothing else is lost."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui import stars
from genai_tui.run import RunError
from genai_tui.stars import Keepsake, name_of, samples_of

STEP, TILE = "samples/step-000100", "samples/step-000100/003"
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.one_of(st.just(STEP), st.just(TILE), WORDS)
KEEPSAKES = st.builds(Keepsake, starred=st.booleans(), note=WORDS)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def entries(run: Path) -> dict[str, object]:
    return json.loads((run / stars.FILE).read_bytes())["samples"]


@given(st.lists(st.tuples(KEYS, KEEPSAKES), max_size=8))
def test_what_was_put_last_is_read(puts: list[tuple[str, Keepsake]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        known: dict[str, Keepsake] = {}
        for key, keepsake in puts:
            known[key] = keepsake
            told = stars.put(Path(folder), key, keepsake)
            assert told == stars.read(Path(folder))
        left = {key: one for key, one in known.items() if one != Keepsake()}
        assert stars.read(Path(folder)) == left


@given(st.dictionaries(WORDS, ANYTHING, max_size=5), KEEPSAKES)
def test_entries_of_others_stay_as_they_are(there: dict[str, object], keepsake: Keepsake) -> None:
    there.pop(TILE, None)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        (run / stars.FILE).write_text(json.dumps({"format": 1, "samples": there}))
        stars.put(run, TILE, keepsake)
        now = entries(run)
        mine = now.pop(TILE, None)
        assert now == there
        assert (mine is None) == (keepsake == Keepsake())


def test_a_file_of_whole_steps_alone_is_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / stars.FILE).write_text(
        '{"samples": {"samples/step-000100": {"starred": true, "note": "good"}}, "format": 1}'
    )
    kept = {STEP: Keepsake(starred=True, note="good")}
    assert stars.read(tmp_path) == kept
    assert stars.put(tmp_path, TILE, Keepsake(starred=True)) == {**kept, TILE: Keepsake(True)}


def test_an_entry_that_is_no_keepsake_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / stars.FILE).write_text(
        json.dumps({"samples": {STEP: 5, TILE: {"starred": True}, "a": {"starred": "x"}, "b": []}})
    )
    assert stars.read(tmp_path) == {TILE: Keepsake(starred=True)}


@given(
    folder=st.from_regex(r"(samples|playground)/[a-z0-9][a-z0-9-]{0,30}", fullmatch=True),
    tile=st.none() | st.integers(0, 10**6),
)
def test_a_name_says_which_samples_are_meant(folder: str, tile: int | None) -> None:
    assert samples_of(name_of(folder, tile)) == (folder, tile)
    assert name_of(STEP, 3) == TILE


@given(name=st.text())
def test_any_name_means_something(name: str) -> None:
    folder, tile = samples_of(name)
    assert name.startswith(folder)
    assert tile is None or tile >= 0


def test_stars_at_once_are_all_kept(tmp_path: Path) -> None:
    keys = [f"{STEP}/{number:03d}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: stars.put(tmp_path, key, Keepsake(True)), keys))
    assert sorted(stars.read(tmp_path)) == keys
    assert [path.name for path in tmp_path.iterdir()] == [stars.FILE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{no", "is damaged"),
        (b'{"samples": []}', "is damaged"),
        (b'{"samples": {"a": ' + b"[" * 100_000, "is damaged"),
        (b'{"samples": {}, "format": 2}', "newer genai-tui"),
    ],
)
def test_a_file_that_cannot_be_read_is_never_overwritten(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / stars.FILE).write_bytes(content)
    assert stars.read(tmp_path) == {}
    with pytest.raises(RunError, match=said):
        stars.put(tmp_path, TILE, Keepsake(True))
    assert (tmp_path / stars.FILE).read_bytes() == content


def test_a_file_that_would_be_too_long_to_read_is_not_written(tmp_path: Path) -> None:
    there = {"samples": {"x": {"note": "n" * (stars.MOST_BYTES - 100)}}}
    (tmp_path / stars.FILE).write_text(json.dumps(there))
    with pytest.raises(RunError, match="is full"):
        stars.put(tmp_path, TILE, Keepsake(starred=True, note="n" * 100))
    assert list(stars.read(tmp_path)) == ["x"]
