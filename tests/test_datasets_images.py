"""Folders of pictures: every mode and size, and what lies in folders besides."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.data import Dataset, Images
from backends.data_error import DataError
from backends.datasets import _files, image_folder
from backends.datasets._folders import Skipped
from backends.datasets._pictures import Look, looks_like_picture, square, wary

Config = image_folder.Config


def load(folder: Path, config: Config | None = None, share: float = 0.1) -> Dataset:
    return image_folder.load(config or Config(size=8), folder, share)


def pixels(dataset: Dataset) -> torch.Tensor:
    """All pictures [N, C, H, W]."""
    assert isinstance(dataset.train, Images)
    assert isinstance(dataset.validation, Images)
    return torch.cat([items(dataset.train), items(dataset.validation)])


def items(source: Images) -> torch.Tensor:
    """The pictures of a part, gathered out of those of the whole set."""
    return source.to(torch.device("cpu")).pixels


def labels(dataset: Dataset) -> list[int]:
    assert isinstance(dataset.train, Images)
    assert isinstance(dataset.validation, Images)
    assert dataset.train.labels is not None
    assert dataset.validation.labels is not None
    return torch.cat([dataset.train.labels, dataset.validation.labels]).sort().values.tolist()


def paint(
    path: Path, color: object = "red", mode: str = "RGB", size: tuple[int, int] = (20, 10)
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)  # pyright: ignore[reportArgumentType]


def seen(path: Path, color: str = "auto", size: int = 8, fit: str = "crop") -> np.ndarray:
    with wary():
        result = square(path, Look(size, color, fit))  # pyright: ignore[reportArgumentType]
    assert not isinstance(result, Skipped), result
    return result


def png_bomb(path: Path, width: int, height: int) -> None:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")))


@pytest.mark.parametrize(
    ("mode", "color", "ending", "expected"),
    [
        ("1", 1, "png", (255,)),
        ("L", 90, "png", (90,)),
        ("L", 90, "bmp", (90,)),
        ("L", 90, "pgm", (90,)),
        ("LA", (90, 255), "png", (90,)),
        ("LA", (90, 0), "png", (255,)),
        ("P", 0, "gif", (0,)),
        ("RGB", (10, 20, 30), "png", (10, 20, 30)),
        ("RGB", (10, 20, 30), "tiff", (10, 20, 30)),
        ("RGB", (10, 20, 30), "ppm", (10, 20, 30)),
        ("RGB", (40, 40, 40), "png", (40,)),
        ("RGBA", (10, 20, 30, 255), "png", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), "png", (255,)),
        ("RGBA", (0, 0, 0, 51), "webp", (204,)),
        ("CMYK", (255, 0, 0, 0), "tiff", (0, 255, 255)),
        ("I;16", 25700, "png", (100,)),
        ("I;16", 65535, "tiff", (255,)),
        ("I", 25700, "tiff", (100,)),
        ("F", 0.5, "tiff", (128,)),
        ("F", 200.0, "tiff", (200,)),
    ],
)
def test_every_mode_is_read(
    tmp_path: Path, mode: str, color: object, ending: str, expected: tuple[int, ...]
) -> None:
    path = tmp_path / f"x.{ending}"
    paint(path, color, mode)
    values = seen(path)
    assert values.shape == (len(expected), 8, 8)
    assert values.dtype == np.uint8
    assert np.abs(values - np.array(expected).reshape(-1, 1, 1)).max() <= 1
    assert seen(path, "rgb").shape == (3, 8, 8)
    assert seen(path, "gray").shape == (1, 8, 8)


def test_the_other_formats_are_read(tmp_path: Path) -> None:
    for ending in ("jpg", "webp", "pcx", "sgi", "ico", "dds", "xbm"):
        mode = "1" if ending == "xbm" else "RGB"
        paint(tmp_path / f"x.{ending}", "white", mode, (16, 16))
        assert seen(tmp_path / f"x.{ending}").min() > 250, ending


def test_a_palette_may_be_transparent(tmp_path: Path) -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.save(tmp_path / "x.png", transparency=1)
    assert seen(tmp_path / "x.png").tolist() == np.full((1, 8, 8), 255).tolist()


def test_the_middle_is_cropped_or_all_is_padded(tmp_path: Path) -> None:
    wide = Image.new("RGB", (64, 16), "blue")
    wide.paste("red", (24, 0, 40, 16))
    wide.save(tmp_path / "x.png")
    crop, pad = seen(tmp_path / "x.png"), seen(tmp_path / "x.png", fit="pad")
    assert np.abs(crop - np.array([255, 0, 0]).reshape(3, 1, 1)).max() < 20  # edges mix a little
    assert (pad[:, :3] == 255).all()
    assert (pad[:, -3:] == 255).all()
    assert np.abs(pad[:, 4, 0].astype(int) - [0, 0, 255]).max() <= 1


@given(width=st.integers(1, 300), height=st.integers(1, 300), fit=st.sampled_from(["crop", "pad"]))
@settings(max_examples=25, deadline=None)
def test_every_size_is_read(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, fit: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "sized.png"
    paint(path, "red", "RGB", (width, height))
    assert seen(path, size=16, fit=fit).shape == (3, 16, 16)


def test_a_camera_held_sideways_is_turned(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), "blue")
    image.paste("red", (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image.save(tmp_path / "x.png", exif=exif)
    values = seen(tmp_path / "x.png")
    assert values[:, 4, 7].tolist() == [255, 0, 0]
    assert values[:, 4, 0].tolist() == [0, 0, 255]


def test_a_picture_whose_exif_is_damaged_is_read(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), "red")
    image.save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x01\x00\x12\x01")
    assert seen(tmp_path / "x.jpg").shape == (3, 8, 8)


def test_a_large_picture_is_read_as_a_small_one(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 1024).astype(np.uint8)
    Image.fromarray(np.tile(gradient, (1024, 1))).save(tmp_path / "x.jpg")
    row = seen(tmp_path / "x.jpg", size=16)[0, 8].astype(int)
    assert np.abs(row - np.linspace(8, 247, 16)).max() < 6


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for i in range(6):
        paint(tmp_path / "dog" / f"{i}.png", "red")
        paint(tmp_path / "cat" / "deep" / f"{i}.jpg", "blue")
    paint(tmp_path / "loose.png")
    (tmp_path / "empty").mkdir()
    data = load(tmp_path)
    assert data.shape == type(data.shape)("image", (3, 8, 8), ("cat", "dog"))
    assert labels(data) == [0] * 6 + [1] * 6
    assert data.notices == (f"1 picture beside the class folders of {tmp_path} left out",)
    assert isinstance(data.train, Images)
    assert data.train.labels is not None
    red = items(data.train)[:, 0].float().mean((1, 2)) > 128
    assert torch.equal(red.long(), data.train.labels)


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for i in range(5):
        paint(tmp_path / "one" / f"{i}.png", i, "L")
    paint(tmp_path / "6.png", 6, "L")
    data = load(tmp_path, Config(size=12, flip=True))
    assert data.shape == type(data.shape)("image", (1, 12, 12))
    assert isinstance(data.train, Images)
    assert data.train.labels is None
    assert data.train.flip
    assert len(data.train) + len(data.validation) == 6


def test_one_coloured_picture_makes_all_coloured(tmp_path: Path) -> None:
    for i in range(4):
        paint(tmp_path / f"{i}.png", 9, "L")
    assert load(tmp_path).shape.size == (1, 8, 8)
    paint(tmp_path / "5.png", "red")
    assert load(tmp_path).shape.size == (3, 8, 8)
    assert load(tmp_path, Config(size=8, color="gray")).shape.size == (1, 8, 8)


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(40)
    for value in values.tolist():
        paint(tmp_path / f"{value:03d}.png", value, "L")
    first, second = load(tmp_path), load(tmp_path)
    assert torch.equal(pixels(first), pixels(second))
    assert isinstance(first.train, Images)
    train = items(first.train)[:, 0, 0, 0].tolist()
    assert train == sorted(train)


def test_what_does_not_decode_is_skipped_and_named(tmp_path: Path) -> None:
    for i in range(3):
        paint(tmp_path / f"good{i}.png", "red", size=(64, 64))
    whole = (tmp_path / "good0.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.jpg").write_text("no picture")
    png_bomb(tmp_path / "c.png", 100_000, 100_000)
    png_bomb(tmp_path / "d.png", 8_000, 8_000)
    (tmp_path / "e.png").write_bytes(b"")
    (tmp_path / "notes.csv").write_text("not even looked at")
    (tmp_path / "LICENSE").write_text("nor this")
    data = load(tmp_path)
    assert len(data.train) + len(data.validation) == 3
    assert data.notices == (
        f"5 files of {tmp_path} skipped: a.png (damaged), b.jpg (no known format), "
        "c.png (more than 32 million pixels) and 2 more",
    )
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_an_answer_not_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = tmp_path_factory.getbasetemp()
    ending = data.draw(st.sampled_from(["png", "jpg", "gif", "webp", "tiff", "bmp"]))
    path = base / f"damaged.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    Image.fromarray(noise).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with wary():
        result = square(path, Look(8, "auto", "crop"))
    assert isinstance(result, Skipped) or result.shape[1:] == (8, 8)


def test_links_and_special_files_stay_shut(tmp_path: Path) -> None:
    folder, outside = tmp_path / "mine", tmp_path / "outside"
    for i in range(3):
        paint(folder / f"{i}.png", i, "L")
        paint(outside / f"{i}.png", 255, "L")
    (folder / "link.png").symlink_to(outside / "0.png")
    (folder / "more").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    data = load(folder)
    assert len(pixels(data)) == 3
    assert pixels(data).max() < 255
    assert "link.png, loop, more and 2 more" in data.notices[0]
    with wary():
        assert isinstance(square(folder / "link.png", Look(8, "auto", "crop")), Skipped)
        assert isinstance(square(folder / "pipe.png", Look(8, "auto", "crop")), Skipped)


def test_a_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    for i in range(3):
        paint(tmp_path / "real" / f"{i}.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(pixels(load(tmp_path / "link"))) == 3


def test_names_of_any_kind_are_shown_safely(tmp_path: Path) -> None:
    strange = os.fsdecode(b"b\xff\x1b[2J")
    for i in range(2):
        paint(tmp_path / "a" / f"{i}.png")
        paint(tmp_path / strange / f"{i}.png")
    (tmp_path / strange / "x\n.png").write_text("bad")
    data = load(tmp_path)
    assert data.shape.classes == ("a", r"b\udcff\x1b[2J")
    for text in (*data.shape.classes, *data.notices):
        assert text.isprintable()
        assert text.encode()


def test_pictures_without_an_ending_are_found(tmp_path: Path) -> None:
    for i in range(3):
        paint(tmp_path / f"{i}.webp")
        (tmp_path / f"{i}.webp").rename(tmp_path / f"{i}")
    assert len(pixels(load(tmp_path))) == 3
    assert looks_like_picture(b"\0\0\0\x1cftypavif")
    assert not looks_like_picture(b"RIFF\0\0\0\0WAVE")


def test_hidden_names_are_left_alone(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", ".c.png", ".thumbs/d.png", "__MACOSX/e.png"):
        paint(tmp_path / name)
    assert len(pixels(load(tmp_path))) == 2


def test_a_class_that_was_skipped_whole_is_no_class(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        paint(tmp_path / name)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_text("bad")
    assert load(tmp_path).shape.classes == ("a", "b")


def test_folders_that_are_splits_are_mentioned(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png"):
        paint(tmp_path / name)
    data = load(tmp_path)
    assert data.notices == (
        f"test and train are taken as classes: give {tmp_path}/train "
        "if the classes are folders inside it",
    )


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a path"):
        image_folder.load(Config(), None, 0.1)
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "none")
    with pytest.raises(DataError, match="holds no picture"):
        load(tmp_path)
    (tmp_path / "a.png").write_text("bad")
    with pytest.raises(DataError, match="is not a folder"):
        load(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"none of the pictures .* can be read: a.png \(no known"):
        load(tmp_path)
    paint(tmp_path / "b.png")
    with pytest.raises(DataError, match="has 1 picture, and 1 must be held out: add pictures"):
        load(tmp_path)


def test_a_folder_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_files.os, "scandir", denied)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        load(tmp_path)


def test_pillow_is_left_as_it_was(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with wary():
            warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=1)
        warnings.warn("afterwards", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["afterwards"]
