"""Pictures are decoded once, mapped from then on, and may be more than memory holds."""

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import Tiny, pictures, run

from backends.data import Dataset, Images
from backends.data_error import DataError
from backends.datasets import _decoded, _decoding
from backends.datasets._decoders import Task
from backends.datasets._folders import Skipped
from backends.datasets._pictures import Square
from backends.datasets.image_folder import Config, load
from backends.model import Batch, Losses
from backends.records import Step

ROOM = 12 * 3 * 8 * 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which everything is worth to be kept."""
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_decoding, "WORTH", 1)
    return tmp_path / "cache" / "datasets" / "decoded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    for i in range(12):
        file = path / "ab"[i % 2] / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * i, 0, 255)).save(file)
    (path / "a" / "bad.png").write_bytes(b"\x89PNG broken")
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded."""
    seen: list[Path] = []
    real = _decoding.decoded

    def decoded(files: Sequence[Path], task: Task[Square]) -> Iterator[Square | Skipped]:
        seen.extend(files)
        return real(files, task)

    monkeypatch.setattr(_decoding, "decoded", decoded)
    return seen


def entries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if (path / "entry.json").is_file()]


def everything(data: Dataset) -> list[list[int]]:
    found = []
    for part in (data.train, data.validation):
        assert isinstance(part, Images)
        whole = part.to(torch.device("cpu"))
        assert whole.labels is not None
        found.append([*whole.pixels[:, 0, 0, 0].tolist(), *whole.labels.tolist()])
    return found


def test_the_second_time_nothing_is_decoded(folder: Path, counted: list[Path]) -> None:
    first = load(Config(size=8), folder, 0.25)
    assert len(counted) == 13
    second = load(Config(size=8), folder, 0.25)
    assert len(counted) == 13
    assert everything(first) == everything(second)
    assert first.notices == second.notices
    assert "1 file of" in first.notices[0]
    assert isinstance(second.train, Images)
    assert second.train.pixels.dtype == torch.uint8


def test_a_copy_is_the_same_and_a_change_is_not(
    folder: Path, tmp_path: Path, cache: Path, counted: list[Path]
) -> None:
    load(Config(size=8), folder, 0.25)
    shutil.copytree(folder, tmp_path / "copy")
    load(Config(size=8), tmp_path / "copy", 0.25)
    assert len(counted) == 13
    Image.new("RGB", (8, 8), "white").save(folder / "a" / "00.png")
    os.utime(folder / "a" / "00.png", (1, 1))
    changed = load(Config(size=8), folder, 0.25)
    assert len(counted) == 26
    assert any(255 in part for part in everything(changed))
    load(Config(size=16), folder, 0.25)
    assert len(entries(cache)) == 3


@pytest.mark.parametrize("harm", ["pixels.npy", "entry.json"])
def test_a_damaged_entry_is_made_anew(
    folder: Path, cache: Path, counted: list[Path], harm: str
) -> None:
    good = everything(load(Config(size=8), folder, 0.25))
    (entry,) = entries(cache)
    (entry / harm).write_bytes((entry / harm).read_bytes()[:20])
    assert everything(load(Config(size=8), folder, 0.25)) == good
    assert len(counted) == 26


def test_a_decoding_that_was_broken_off_leaves_no_entry(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[object]:
        yield np.zeros((3, 8, 8), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(_decoding, "decoded", broken)
    with pytest.raises(KeyboardInterrupt):
        load(Config(size=8), folder, 0.25)
    assert not entries(cache)
    assert not list(cache.glob(".part-*"))


def test_more_than_memory_holds_is_streamed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = load(Config(size=8), folder, 0.25)
    monkeypatch.setattr(_decoding, "MEMORY", ROOM // 2)
    monkeypatch.setattr("backends.data.RESIDENT", ROOM // 2)
    large = load(Config(size=8), folder, 0.25)
    assert large.train.streams
    assert large.train.to(torch.device("cpu")) is large.train
    every = torch.arange(len(small.train))
    zeros = torch.zeros_like(every)
    for part in ("train", "validation"):
        mapped, held = getattr(large, part), getattr(small, part)
        every = torch.arange(len(held))
        x, y = mapped.fetch(every, zeros[: len(every)], 0)
        expected, labels = held.fetch(every, zeros[: len(every)], 0)
        assert torch.equal(x, expected)
        assert torch.equal(y, labels)


class Halved(Tiny):
    """Sees every other pixel of pictures of twice the side."""

    def loss(self, batch: Batch) -> Losses:
        return super().loss(dataclasses.replace(batch, x=batch.x[:, :, ::2, ::2]))


def test_a_training_from_a_stream_is_that_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dots"
    for i in range(12):
        path.mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(path / f"{i}.png")

    def losses(name: str) -> list[object]:
        data = load(Config(size=8), path, 0.25)
        x, y = data.train.fetch(torch.arange(2), torch.zeros(2, dtype=torch.int64), 0)
        assert (x.shape, y) == ((2, 1, 8, 8), None)
        torch.manual_seed(0)
        model = Halved(pictures().shape)
        records = run(tmp_path / name, model, dataset=data, steps=3, batch_size=4)
        return [record.values for record in records if isinstance(record, Step)]

    from_memory = losses("memory")
    monkeypatch.setattr("backends.data.RESIDENT", 1)
    assert losses("stream") == from_memory


def test_without_room_for_a_cache_the_remedy_is_named(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, counted: list[Path]
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file stands where the cache would be")
    good = load(Config(size=8), folder, 0.25)
    assert len(counted) == 13
    assert sum(map(len, everything(good)), 0) == 24
    monkeypatch.setattr(_decoding, "MEMORY", ROOM // 2)
    with pytest.raises(DataError, match="the cache cannot keep them") as caught:
        load(Config(size=8), folder, 0.25)
    assert "set GENAI_TUI_CACHE to a folder with room or lower size" in str(caught.value)


def test_the_cache_forgets_what_was_not_used_for_longest(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(Config(size=8), folder, 0.25)
    (old,) = entries(cache)
    os.utime(old, (1, 1))
    monkeypatch.setattr(_decoded, "KEEP", 1)
    load(Config(size=16), folder, 0.25)
    assert not old.exists()
    assert len(entries(cache)) == 1
