"""Text: vocabularies, how it is split, the embedded texts, files and folders of one's own."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.data import Dataset, Tokens
from backends.data_error import DataError
from backends.datasets import names, shakespeare_mini, text_file
from backends.datasets._counts import ngram_losses
from backends.datasets._shape import shape_from_state, shape_state
from backends.datasets._text import split, text_dataset
from backends.datasets._vocabulary import Bytes, Characters, from_state
from backends.model import DataShape, Vocabulary


def text_of(source: object, vocabulary: Vocabulary | None) -> str:
    assert isinstance(source, Tokens)
    assert vocabulary is not None
    return vocabulary.decode(source.ids.tolist())


def parts(dataset: Dataset) -> tuple[str, str]:
    words = dataset.shape.vocabulary
    return text_of(dataset.train, words), text_of(dataset.validation, words)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(deadline=None)
def test_characters_go_there_and_back(text: str) -> None:
    words = Characters.of(text)
    assert words.decode(words.encode(text)) == text
    assert words.encode_all(text).tolist() == words.encode(text)
    assert from_state(json.loads(json.dumps(words.state()))) == words
    assert words.size == len(set(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_bytes_go_there_and_back(text: str) -> None:
    words = Bytes()
    assert words.decode(words.encode(text)) == text
    assert from_state(words.state()) == words


def test_a_character_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"U\+00E9 'é' is not among the 3 characters"):
        Characters.of("abc").encode("abé")
    with pytest.raises(ValueError, match=r"U\+001B '\\x1b'"):
        Characters.of("abc").encode("\x1b")


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert Bytes().decode([0x61, 0xFF]) == "a\ufffd"
    assert Bytes().encode("a\udcff") == [0x61, 0xFF]
    with pytest.raises(ValueError, match=r"U\+D800"):
        Bytes().encode("a\ud800")


def test_sampling_starts_at_the_end_of_a_line() -> None:
    assert Characters.of("a\nb").start == 0
    assert Characters.of("\t\n").start == 1
    assert Characters.of("ab").start == 0
    assert Bytes().start == 10


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "words"},
        {"kind": "characters"},
        {"kind": "characters", "characters": ""},
        {"kind": "characters", "characters": 7},
        {"kind": "characters", "characters": "ba"},
        {"kind": "characters", "characters": "aa"},
    ],
)
def test_a_vocabulary_of_nonsense_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(DataError):
        from_state(state)


@pytest.mark.parametrize(
    "shape",
    [
        DataShape("image", (3, 32, 48), ("cat", "dog")),
        DataShape("image", (1, 28, 28)),
        DataShape("text", (64,), (), Characters.of("héllo\n")),
        DataShape("text", (8,), (), Bytes()),
    ],
)
def test_a_shape_is_kept_as_json(shape: DataShape) -> None:
    assert shape_from_state(json.loads(json.dumps(shape_state(shape)))) == shape


@pytest.mark.parametrize(
    "wrong",
    [
        {"modality": "audio"},
        {"size": [1, 28]},
        {"size": [1, 28, -1]},
        {"size": [1, 28, True]},
        {"size": "big"},
        {"classes": [1]},
        {"vocabulary": "abc"},
        {"vocabulary": {"kind": "words"}},
        {"more": 1},
    ],
)
def test_a_shape_of_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        shape_from_state({**shape_state(DataShape("image", (1, 28, 28))), **wrong})


def test_a_foreign_vocabulary_is_not_kept() -> None:
    class Words(Vocabulary):
        size = 1

        def encode(self, text: str) -> list[int]:
            return []

        def decode(self, ids: Sequence[int]) -> str:
            return ""

    with pytest.raises(DataError, match="a Words cannot be kept"):
        shape_state(DataShape("text", (8,), (), Words()))


@given(
    n=st.integers(0, 3000),
    context=st.integers(4, 80),
    share=st.floats(0.001, 0.5),
    sections=st.integers(1, 20),
    line=st.integers(1, 400),
)
@settings(max_examples=300, deadline=None)
def test_a_text_is_split_without_loss(
    n: int, context: int, share: float, sections: int, line: int
) -> None:
    """Every token is in one of the two, in order, and both fill a window."""
    ids = np.arange(1, n + 1)
    ids[line - 1 :: line] = 0  # ends of lines
    if n < 3 * context + 1:
        with pytest.raises(DataError, match="lower context or add text"):
            text_dataset(ids, Bytes(), where="it", context=context, validation=share)
        return
    both = split(ids, share, context, sections, 0)
    assert sorted([*both.train, *both.validation]) == sorted(ids)
    assert len(Tokens(torch.from_numpy(both.train), context, shift=True)) >= 1
    assert len(Tokens(torch.from_numpy(both.validation), context)) >= 1
    wanted = round(n * share)
    if wanted > 20 * (context + 1) and n - wanted > 2 * context:
        assert wanted <= len(both.validation) <= wanted + sections * 201
    else:
        assert len(both.validation) <= max(wanted, context + 1) + sections * 201


def test_cuts_fall_between_lines() -> None:
    text = "".join(f"line {i:04d}\n" for i in range(5000))
    words = Characters.of(text)
    data = text_dataset(words.encode_all(text), words, where="it", context=16, validation=0.1)
    train, held = parts(data)
    lines = {"train": train.splitlines(), "held": held.splitlines()}
    assert sorted(lines["train"] + lines["held"]) == sorted(text.splitlines())
    numbers = np.array([int(line.split()[1]) for line in lines["held"]])
    assert (np.diff(numbers) > 1).sum() == 19  # twenty stretches


def test_shakespeare_is_embedded() -> None:
    data = shakespeare_mini.load(shakespeare_mini.Config(), None, 0.1)
    train, held = parts(data)
    assert len(train) + len(held) == 951_003
    assert 0.1 <= len(held) / 951_003 < 0.105
    assert train.startswith("HAMLET, PRINCE OF DENMARK\n")
    assert data.shape.size == (64,)
    assert data.shape.vocabulary is not None
    assert data.shape.vocabulary.size == 76
    for name in ("HAMLET", "MACBETH", "Rom.", "ROSALIND", "thy sweet self"):
        assert name.lower() in held.lower() or name.lower() in train.lower()
    for stretch in (held[:300], held[50_000:50_300], held[-300:]):
        assert stretch not in train


def test_what_is_held_out_does_not_depend_on_the_context() -> None:
    configs = [shakespeare_mini.Config(context=context) for context in (16, 64, 256)]
    held = {parts(shakespeare_mini.load(config, None, 0.1))[1] for config in configs}
    assert len(held) == 1


def test_names_are_split_by_whole_names() -> None:
    data = names.load(names.Config(), None, 0.1)
    train, held = parts(data)
    lists = train.split(), held.split()
    assert len(lists[0]) + len(lists[1]) == 5163
    assert not set(lists[0]) & set(lists[1])
    assert train.startswith("\n")
    assert train.endswith("\n")
    assert len({name[0] for name in lists[1]}) > 15
    assert data.shape.vocabulary is not None
    assert data.shape.vocabulary.decode([data.shape.vocabulary.start]) == "\n"
    assert data.shape.size == (32,)


@pytest.mark.parametrize("share", [0.001, 0.5])
@pytest.mark.parametrize("context", [4, 512])
def test_names_have_a_window_to_validate_on(share: float, context: int) -> None:
    data = names.load(names.Config(context=context), None, share)
    assert len(data.validation) >= 1
    assert len(data.train) >= 1


def test_a_text_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "Grüße\r\n".encode() * 100)
    data = text_file.load(text_file.Config(context=8), file, 0.1)
    train, held = parts(data)
    assert sorted(train + held) == sorted("Grüße\n" * 100)
    assert data.notices == ()


def test_bytes_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "mine.bin"
    file.write_bytes(bytes(range(256)) * 4)
    data = text_file.load(text_file.Config(context=8, vocabulary="bytes"), file, 0.1)
    assert data.shape.vocabulary == Bytes()
    assert isinstance(data.train, Tokens)
    assert isinstance(data.validation, Tokens)
    assert len(data.train.ids) + len(data.validation.ids) == 1024


def test_a_folder_of_texts_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "two.MD").write_text("2" * 60)
    (tmp_path / "a.txt").write_text("1" * 60)
    (tmp_path / "c.csv").write_text("3" * 60)
    (tmp_path / ".git" / "x.txt").write_text("4" * 60)
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.txt")
    data = text_file.load(text_file.Config(context=4), tmp_path, 0.1)
    assert sorted("".join(parts(data))) == sorted("1" * 60 + "\n" + "2" * 60)
    assert data.notices == (
        f"links and special files of {tmp_path} are not opened: link.txt, pipe.txt",
    )


def test_what_is_not_utf8_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(b"caf\xe9 " * 100)
    with pytest.raises(DataError, match=r"byte 3 \(0xE9\) of .*latin.txt is not UTF-8: .*bytes"):
        text_file.load(text_file.Config(), file, 0.1)


def test_texts_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    config = text_file.Config()
    with pytest.raises(DataError, match="needs a path"):
        text_file.load(config, None, 0.1)
    with pytest.raises(DataError, match=r"holds no .txt or .md file"):
        text_file.load(config, tmp_path, 0.1)
    short = tmp_path / "short.txt"
    short.write_text("too short")
    with pytest.raises(DataError, match=r"has 9 tokens, and context 64 needs 193: lower context"):
        text_file.load(config, short, 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        text_file.load(config, tmp_path / "pipe", 0.1)
    with pytest.raises(DataError, match="cannot be read"):
        text_file.load(config, tmp_path / "none", 0.1)


def test_texts_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "_LIMIT", 1000)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x" * 600)
    with pytest.raises(DataError, match=r"up to .*b.txt is larger than"):
        text_file.load(text_file.Config(), tmp_path, 0.1)


def test_a_large_vocabulary_is_mentioned(tmp_path: Path) -> None:
    file = tmp_path / "han.txt"
    file.write_text("".join(chr(0x4E00 + i) for i in range(1500)))
    data = text_file.load(text_file.Config(context=8), file, 0.1)
    assert "1,500 distinct characters" in data.notices[0]


def test_losses_of_counts_are_those_counted_by_hand() -> None:
    """Of "aabab" and "ab", with V = 2: N(a) = 3; after a come one a and two b, after b one a."""
    found = ngram_losses(np.array([0, 0, 1, 0, 1]), np.array([0, 1]), 2)
    one = [-math.log((3 + 0.05) / (5 + 0.1)), -math.log((2 + 0.05) / (5 + 0.1))]
    assert found["1-gram"] == pytest.approx(sum(one) / 2)
    assert found["2-gram"] == pytest.approx(-math.log((2 + 0.05) / (3 + 0.1)))
    assert list(found) == ["1-gram", "2-gram"]  # there is no third token to predict


def test_contexts_do_not_reach_across_the_split() -> None:
    """In "ababab" b always follows a; the held-out "ba" begins no pair with the a before it."""
    found = ngram_losses(np.array([0, 1] * 3), np.array([1, 0, 1]), 2)
    ba, ab = -math.log(2.05 / 2.1), -math.log(3.05 / 3.1)
    assert found["2-gram"] == pytest.approx((ba + ab) / 2)
    assert found["3-gram"] == pytest.approx(-math.log(2.05 / 2.1))


def test_what_was_never_seen_is_as_likely_as_anything() -> None:
    found = ngram_losses(np.array([0, 0, 0]), np.array([2, 2]), 4)
    assert found["2-gram"] == pytest.approx(math.log(4))


def test_a_text_brings_its_counts_along() -> None:
    lines = shakespeare_mini.load(shakespeare_mini.Config(), None, 0.1).baselines()
    assert list(lines) == ["1-gram", "2-gram", "3-gram", "4-gram"]
    assert lines["1-gram"] > lines["2-gram"] > lines["3-gram"] > lines["4-gram"] > 1


def test_with_one_section_the_end_is_held_out(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"{i:05d}\n" for i in range(2000)))
    train, held = parts(text_file.load(text_file.Config(context=8, sections=1), file, 0.1))
    assert (train + held) == file.read_text()
    assert len(held) == 1200
