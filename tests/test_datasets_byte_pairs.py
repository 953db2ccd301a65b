"""Byte pairs: learned the same every time, exact both ways, and trusted only after a look."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.data import Tokens
from backends.data_error import DataError
from backends.datasets import text_file
from backends.datasets._byte_pairs import BytePairs
from backends.datasets._shape import shape_from_state, shape_state
from backends.datasets._vocabulary import from_state
from backends.model import DataShape

TEXT = "the cat sat on the mat, and the rat sat on the hat.\nGrüße, 你好!\n" * 40
WORDS = BytePairs.of([TEXT], 300)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_every_text_goes_there_and_back(text: str) -> None:
    assert WORDS.decode(WORDS.encode(text)) == text
    assert sum(WORDS.lengths()[i] for i in WORDS.encode(text)) == len(text.encode())


def test_frequent_pieces_are_tokens() -> None:
    assert 256 < WORDS.size <= 300
    assert len(WORDS.encode(TEXT)) < len(TEXT.encode()) / 2
    assert b" the" in WORDS.tokens
    assert WORDS.encode_all(TEXT).tolist() == WORDS.encode(TEXT)


def test_the_first_merge_is_of_the_most_frequent_neighbours() -> None:
    """In "abab ab" a and b stand together three times, b and a once."""
    learned = BytePairs.of(["abab ab"], 257)
    assert learned.merges == ((ord("a"), ord("b")),)
    assert learned.encode("abba") == [256, ord("b"), ord("a")]


def test_the_same_text_gives_the_same_merges() -> None:
    assert BytePairs.of([TEXT], 300) == WORDS
    assert BytePairs.of([TEXT], 290).merges == WORDS.merges[: 290 - 256]


def test_a_token_that_is_spelled_twice_has_one_id() -> None:
    a, b, c = b"abc"
    twice = BytePairs([(a, b), (b, c), (256, c), (a, 257), (258, a)])
    assert twice.tokens[256:] == [b"ab", b"bc", b"abc", b"abca"]
    assert twice.encode("abca") == [259]
    assert from_state(twice.state()) == twice


def test_it_is_kept_as_json() -> None:
    kept = json.loads(json.dumps(WORDS.state()))
    assert from_state(kept) == WORDS
    assert from_state(kept).encode("the mat") == WORDS.encode("the mat")
    shape = DataShape("text", (8,), (), WORDS)
    assert shape_from_state(json.loads(json.dumps(shape_state(shape)))) == shape
    assert copy.deepcopy(WORDS) == WORDS


@pytest.mark.parametrize(
    "merges",
    [
        None,
        "ab",
        [[97]],
        [[97, 98, 99]],
        [[97, "b"]],
        [[97, -1]],
        [[97, 256]],
        [[97, 98], [97, 98]],
        [[97, 97], *([[256 + i, 256 + i] for i in range(40)])],
    ],
)
def test_merges_of_nonsense_are_refused(merges: object) -> None:
    with pytest.raises(DataError):
        from_state({"kind": "byte pairs", "merges": merges})


def test_what_is_no_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"U\+D800 is not a character"):
        WORDS.encode("a\ud800")


def test_a_text_file_is_read_by_byte_pairs(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(TEXT * 5, encoding="utf-8")
    config = text_file.Config(context=8, vocabulary="bpe", vocabulary_size=280)
    data = text_file.load(config, file, 0.1)
    words = data.shape.vocabulary
    assert isinstance(words, BytePairs)
    assert words.size == 280
    assert words.decode([words.start]) == "\n"
    sources = [data.train, data.validation]
    texts = [words.decode(s.ids.tolist()) for s in sources if isinstance(s, Tokens)]
    assert sorted("".join(texts)) == sorted(TEXT * 5)
    assert text_file.load(config, file, 0.1).shape == data.shape
    assert data.baselines()["1-gram"] > data.baselines()["2-gram"]


def test_too_few_byte_pairs_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a" * 100)
    config = text_file.Config(context=16, vocabulary="bpe", vocabulary_size=300)
    with pytest.raises(DataError, match="byte pairs, too few for context 16"):
        text_file.load(config, file, 0.1)
