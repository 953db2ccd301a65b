"""Pairs of lines: their vocabulary, TSV files of one's own, dates that are made on the spot."""

import datetime
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import dates, pairs_file
from backends.datasets._lines import Lines
from backends.datasets._pairs import Pairs
from backends.datasets._resolve import load_dataset, resolve
from backends.datasets._shape import shape_from_state, shape_state
from backends.datasets._vocabulary import Bytes, Characters, from_state
from backends.model import DataShape, Vocabulary

WRITTEN = [("ein Hund", "a dog"), ("eine Katze", "a cat"), ("zwei Hunde", "two dogs")]
LINES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def tsv(folder: Path, text: str = "") -> Path:
    path = folder / "pairs.tsv"
    path.write_text(text or "".join(f"{one}\t{two}\n" for one, two in WRITTEN), encoding="utf-8")
    return path


def load(path: Path, **knobs: object) -> Dataset:
    return load_dataset(str(path), "pairs", knobs, 0.1, 1)


def told(dataset: Dataset) -> list[tuple[str, str]]:
    """All pairs, those held out last."""
    words, found = dataset.shape.vocabulary, list[tuple[str, str]]()
    assert words is not None
    for part in (dataset.train, dataset.validation):
        index = torch.arange(len(part))
        x, y = part.fetch(index, index, 0)
        assert y is not None
        assert x.dtype == y.dtype == torch.int64
        found += zip(map(words.decode, x.tolist()), map(words.decode, y.tolist()), strict=True)
    return found


# --------------------------------------------------------------------------- the vocabulary


def shape_of(words: Vocabulary) -> DataShape:
    return DataShape("pairs", (8, 9), (), words)


@given(LINES)
@settings(deadline=None)
def test_lines_go_there_and_back(line: str) -> None:
    for inner in (Characters.of(line), Bytes()):
        words = Lines(inner)
        assert words.size == 3 + inner.size
        assert words.decode(words.encode(line)) == line
        shape = shape_of(words)
        assert shape_from_state(json.loads(json.dumps(shape_state(shape)))) == shape
        assert words != inner


def test_a_line_ends_at_its_end_and_marks_are_not_text() -> None:
    words = Lines(Characters.of("abc"))
    a, b = words.encode("ab")
    assert words.decode([words.start, a, words.pad, b, words.end, a, b]) == "ab"
    assert len({words.pad, words.start, words.end, *words.encode("abc")}) == 6
    assert words.lengths() == [0, 0, 0, 1, 1, 1]


def test_a_character_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"U\+00E9 'é' is not among the 2 characters of the train"):
        Lines(Characters.of("ab")).encode("aé")


@pytest.mark.parametrize("inner", [None, "ab", {}, {"kind": "lines", "of": {"kind": "bytes"}}])
def test_a_vocabulary_of_nonsense_is_refused(inner: object) -> None:
    with pytest.raises(DataError):
        from_state({"kind": "lines", "of": inner})


# --------------------------------------------------------------------------- files


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_a_file_of_pairs_is_padded_and_kept_as_a_shape(tmp_path: Path, unit: str) -> None:
    dataset = load(tsv(tmp_path), vocabulary=unit)
    assert sorted(told(dataset)) == sorted(WRITTEN)
    assert dataset.notices == ()
    assert (len(dataset.train), len(dataset.validation)) == (2, 1)
    x, y = dataset.train.fetch(torch.tensor([0, 1]), torch.tensor([0, 0]), 0)
    assert dataset.shape.size == (10, 9)  # the targets' end counts
    assert y is not None
    assert (tuple(x.shape), tuple(y.shape)) == ((2, 10), (2, 10))
    words = dataset.shape.vocabulary
    assert words is not None
    assert (y[:, 0] == words.start).all()
    assert ((y == words.end).sum(1) == 1).all()
    assert shape_from_state(json.loads(json.dumps(shape_state(dataset.shape)))) == dataset.shape


def test_what_is_no_pair_is_left_out_and_named(tmp_path: Path) -> None:
    text = "\ufeffa\tb\r\n\nno tab\nc\t\n\td\n e \tf\t more\ng\th\n"
    dataset = load(tsv(tmp_path, text))
    assert sorted(told(dataset)) == [("a", "b"), ("e", "f"), ("g", "h")]
    bad, wide = dataset.notices
    assert bad.startswith("3 lines of ")
    assert bad.endswith("without two columns left out: line 3, line 4, line 5")
    assert wide.startswith("1 line of ")
    assert wide.endswith("with more than two columns: cut to two")


def test_what_is_too_long_is_left_out_and_counted(tmp_path: Path) -> None:
    dataset = load(tsv(tmp_path), source=10, target=5)
    assert sorted(told(dataset)) == WRITTEN[:2]
    assert dataset.shape.size == (10, 6)
    (notice,) = dataset.notices
    assert notice.startswith("1 pair of ")
    assert notice.endswith("left out: longer than source 10 or target 5 tokens")


def test_a_source_is_on_one_side_alone(tmp_path: Path) -> None:
    text = "".join(f"{letter}\t{n}\n" for letter in "abcdefghij" for n in range(4))
    dataset = load(tsv(tmp_path, text))
    lines = [one for one, _ in told(dataset)]
    train, held = set(lines[: len(dataset.train)]), set(lines[len(dataset.train) :])
    assert (len(train), len(held), len(lines)) == (9, 1, 40)
    assert not train & held


@pytest.mark.parametrize(
    ("text", "knobs", "sentence"),
    [
        ("a\t\n\tb\n", {}, "no line of .* has two columns: put a tab between source and target"),
        ("aa\tb\ncc\td\n", {"source": 1}, "every pair of .* is longer than source 1 or target 128"),
        ("a\tb\na\tc\n", {}, "has but one source line, and one must be held out: add lines"),
    ],
)
def test_a_file_with_nothing_to_learn_is_refused(
    tmp_path: Path, text: str, knobs: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        load(tsv(tmp_path, text), **knobs)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(b"a\tb\n\xff\td\n")
    with pytest.raises(DataError, match=r"byte 4 of .* is not UTF-8: convert the file"):
        load(path)


def test_a_path_is_known_by_its_name_and_its_first_line(tmp_path: Path) -> None:
    path = tsv(tmp_path)
    assert resolve(str(path), "pairs") == ("pairs-file", path)
    assert not pairs_file.fits(tmp_path)
    assert not pairs_file.fits(path.rename(tmp_path / "pairs.txt"))
    assert not pairs_file.fits(tsv(tmp_path, "no tab\na\tb\n"))
    with pytest.raises(DataError, match="the model learns pairs of lines: give a TSV file of two"):
        resolve(str(tmp_path / "pairs.txt"), "pairs")
    with pytest.raises(DataError, match="dates holds pairs of lines, but the model learns text"):
        resolve("dates", "text")


def test_byte_pairs_make_lines_shorter(tmp_path: Path) -> None:
    text = "".join(f"a house number {n}\ta number of a house, {n}\n" for n in range(50))
    plain, pieces = load(tsv(tmp_path, text)), load(tsv(tmp_path, text), vocabulary="bpe")
    assert sorted(told(plain)) == sorted(told(pieces))
    assert max(pieces.shape.size) < min(plain.shape.size)
    again = shape_from_state(json.loads(json.dumps(shape_state(pieces.shape))))
    assert again == pieces.shape
    few = load(tsv(tmp_path, text), vocabulary="bpe", vocabulary_size=260).shape.vocabulary
    assert few is not None
    assert few.size == 263


# --------------------------------------------------------------------------- dates


def test_every_way_of_writing_tells_the_day() -> None:
    ways = range(len(dates.WAYS))
    day = (datetime.date(2005, 5, 22) - dates.FIRST).days
    assert [dates.written(day, way)[0] for way in ways] == [
        "22 May 2005",
        "May 22, 2005",
        "22nd of May, 2005",
        "May 22nd, 2005",
        "Sunday, 22 May 2005",
        "Sun May 22 2005",
        "22-May-05",
        "May. 22, '05",
        "22.05.2005",
        "22.5.05",
        "2005/5/22",
        "22 V 2005",
        "SUNDAY, MAY 22, 2005",
        "the twenty-second of May 2005",
        "May the twenty-second, '05",
        "22 May twenty oh five",
    ]
    assert {dates.written(day, way)[1] for way in ways} == {"2005-05-22"}


def test_no_line_has_two_meanings() -> None:
    meanings: dict[str, str] = {}
    for day in range(0, dates.DAYS, 7):
        for way in range(len(dates.WAYS)):
            line, meaning = dates.written(day, way)
            assert meanings.setdefault(line, meaning) == meaning
    assert len(meanings) == len(range(0, dates.DAYS, 7)) * len(dates.WAYS)
    lines = [dates.written(day, 15)[0] for day in range(dates.DAYS)]
    assert len(set(lines)) == len(lines)
    assert "1 January two thousand" in lines
    assert "31 December nineteen ninety-nine" in lines
    assert "1 April twenty sixty" in lines


def test_dates_are_the_same_every_time() -> None:
    one, again = (load_dataset("dates", "pairs", {"count": 300}, 0.1, 4) for _ in range(2))
    assert told(one) == told(again)
    assert isinstance(one.train, Pairs)
    assert (len(one.train), len(one.validation)) == (270, 30)
    assert len({line for line, _ in told(one)}) == 300
    more = load_dataset("dates", "pairs", {"count": 400}, 0.1, 4)
    assert set(told(one)) < set(told(more))
