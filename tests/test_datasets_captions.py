"""Pictures with captions: found beside or in a list, split, phrased, and refused where none is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import captioned_folder, fashion_captions
from backends.datasets._captions import Captioned
from backends.datasets._resolve import load_dataset, resolve
from backends.datasets._shape import shape_from_state, shape_state
from backends.datasets._words import Words, words_of
from backends.seeds import mix

Config = captioned_folder.Config


def load(folder: Path, **knobs: object) -> Dataset:
    config = Config(**{"size": 8, **knobs})  # pyright: ignore[reportArgumentType]
    return captioned_folder.load(config, folder, 0.25)


def paint(path: Path, color: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 10), color).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "captioned"
    for i, color in enumerate(["red", "green", "blue", "white"] * 4):
        paint(path / f"{i}.png", color)
        (path / f"{i}.txt").write_text(f"A {color} square.\nall {color}\n", encoding="utf-8")
    return path


def said(data: Dataset, part: str, seed: int = 0) -> list[str]:
    source = getattr(data, part)
    assert isinstance(source, Captioned)
    words = data.shape.vocabulary
    assert words is not None
    every = torch.arange(len(source))
    x, ids = source.fetch(every, mix(every, seed), 0)
    assert x.shape[0] == ids.shape[0]
    return [words.decode(row) for row in ids.tolist()]


def test_a_caption_stands_beside_its_picture(folder: Path) -> None:
    assert resolve(str(folder), "captions")[0] == "captioned-folder"
    assert resolve(str(folder), "image")[0] == "image-folder"
    data = load(folder)
    assert data.shape.size == (3, 8, 8, 16)
    assert data.notices == ()
    texts = said(data, "train") + said(data, "validation")
    assert len(texts) == 16
    assert set(texts) <= {
        f"{p} {c}{s}"
        for c in ("red", "green", "blue", "white")
        for p, s in (("a", " square"), ("all", ""))
    }


def test_every_epoch_may_have_another_phrasing_and_the_picture_keeps_it(folder: Path) -> None:
    data = load(folder)
    seen = [said(data, "train", seed) for seed in range(20)]
    for texts in zip(*seen, strict=True):
        assert len(set(texts)) == 2
        assert (
            len(
                {text.replace("all ", "").split()[-2 if "square" in text else -1] for text in texts}
            )
            == 1
        )


def test_a_list_of_captions_is_read_and_what_is_wrong_in_it_named(tmp_path: Path) -> None:
    for i in range(5):
        paint(tmp_path / "x" / f"{i}.png")
    rows = [json.dumps({"file_name": f"{i}.png", "text": f"number {i}"}) for i in range(4)]
    rows += ["not json", json.dumps({"file_name": 3, "text": "x"}), "[" * 10_000]
    (tmp_path / "x" / "metadata.jsonl").write_text("\n".join(rows))
    data = load(tmp_path / "x")
    assert len(data.train) + len(data.validation) == 4
    told = " ".join(data.notices)
    assert "3 lines of" in told
    assert "line 5, line 6, line 7" in told
    assert "1 picture of" in told
    assert "without a caption left out: 4.png" in told


def test_pictures_without_captions_are_refused(tmp_path: Path) -> None:
    paint(tmp_path / "x" / "1.png")
    (tmp_path / "x" / "metadata.jsonl").write_text("")
    with pytest.raises(DataError, match=r"none of the 1 picture .* has a caption: put name\.txt"):
        load(tmp_path / "x")
    paint(tmp_path / "y" / "1.png")
    with pytest.raises(DataError, match="model learns pictures with captions"):
        load_dataset(str(tmp_path / "y"), "captions", {}, 0.1, 4)


def test_long_captions_are_cut_and_counted(folder: Path) -> None:
    (folder / "0.txt").write_text(" ".join(["red"] * 50))
    data = load(folder, tokens=4)
    assert data.shape.size[3] == 4
    assert any("1 caption of" in notice and "cut to 4 words" in notice for notice in data.notices)


def test_words_go_there_and_back() -> None:
    words = Words.of(["A dark-blue Bag", "a bag, a man's bag"])
    assert words.words[0] == "a"
    assert words.decode(words.encode("a  DARK-BLUE bag!")) == "a dark-blue bag"
    with pytest.raises(ValueError, match="'shoe' is not among the 4 words of the captions"):
        words.encode("a shoe")
    assert words.known("a shoe bag") == words.encode("a bag")
    assert Words.from_state(words.state()) == words


@pytest.mark.parametrize("words", [None, "abc", [1], ["a b"], ["a", "a"], ["A"], [""]])
def test_what_is_no_vocabulary_is_refused(words: object) -> None:
    with pytest.raises(DataError):
        Words.from_state({"kind": "words", "words": words})


@given(st.text(max_size=80))
def test_any_text_is_words_or_none(text: str) -> None:
    words = Words.of([text])
    assert words.decode(words.encode(text)) == " ".join(words_of(text))


def test_the_shape_of_captions_survives_its_checkpoint(folder: Path) -> None:
    shape = load(folder).shape
    assert shape_from_state(shape_state(shape)) == shape


def test_the_embedded_captions_say_what_is_measured() -> None:
    bright, dark = np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8)
    bright[5:25, 10:14], dark[10:18, 2:26] = 250, 40
    assert fashion_captions.measured(bright) == ("light", "narrow", "plain")
    assert fashion_captions.measured(dark) == ("dark", "wide", "plain")
    assert fashion_captions.measured(np.zeros((28, 28), np.uint8)) == ("dark", "narrow", "plain")
    assert "a dark bag" in fashion_captions.phrasings(dark, 8)
    data = fashion_captions.load(fashion_captions.Config(), None, 0.1)
    assert len(data.train) + len(data.validation) == 2000
    assert not data.notices
    assert any("ankle boot" in text for text in said(data, "train"))
