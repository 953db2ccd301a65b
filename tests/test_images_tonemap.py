"""Arrays and files as pictures: ranges, layouts, alpha, and files that are no pictures."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from genai_tui.images.tonemap import MAX_PIXELS, PictureError, load, to_uint8

RAMP = np.linspace(0, 1, 256)


def test_floats_of_a_generator_that_ends_in_tanh_become_black_to_white() -> None:
    array = np.stack([RAMP * 2 - 1] * 3).reshape(3, 16, 16).astype(np.float32)
    picture = to_uint8(array)
    assert picture.shape == (16, 16, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture[:, :, 0].ravel(), np.arange(256))


@pytest.mark.parametrize("scale", [1, 255])
def test_unit_floats_and_whole_floats_up_to_255_mean_the_same(scale: int) -> None:
    gray = (RAMP * scale).reshape(16, 16)
    assert np.array_equal(to_uint8(gray)[:, :, 1].ravel(), np.arange(256))


def test_a_small_overshoot_is_clipped_not_stretched() -> None:
    assert to_uint8(np.array([[-1.1, 0.0, 1.05]])).tolist()[0] == [[0] * 3, [128] * 3, [255] * 3]
    assert to_uint8(np.array([[0.5, 1.1]]))[0, 0, 0] == 128


def test_high_dynamic_range_is_stretched_and_a_given_range_is_kept() -> None:
    hdr = np.array([[0.0, 2.0, 4.5]])
    assert to_uint8(hdr)[0, :, 0].tolist() == [0, 113, 255]
    assert to_uint8(hdr, value_range=(0, 9))[0, :, 0].tolist() == [0, 57, 128]


def test_sixteen_bits_keep_their_high_byte_even_in_a_dark_picture() -> None:
    dark = np.array([[0, 257, 514]], np.uint16)
    assert to_uint8(dark)[0, :, 0].tolist() == [0, 1, 2]
    assert to_uint8(np.array([[0, 65535]], np.int32))[0, :, 0].tolist() == [0, 255]
    assert to_uint8(np.array([[0, 200]], np.int64))[0, :, 0].tolist() == [0, 200]


def test_nan_and_infinities_are_dark_and_light_not_an_error() -> None:
    array = np.array([[np.nan, -np.inf, 0.0, 1.0, np.inf]])
    assert to_uint8(array)[0, :, 0].tolist() == [0, 0, 0, 255, 255]
    assert to_uint8(np.full((2, 2), np.nan)).max() == 0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((28, 28), (28, 28, 3)),
        ((1, 28, 28), (28, 28, 3)),
        ((28, 28, 1), (28, 28, 3)),
        ((3, 8, 2), (8, 2, 3)),
        ((4, 5, 3), (4, 5, 3)),
        ((2, 7, 9), (7, 9, 3)),
    ],
)
def test_channels_are_found_first_or_last(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert to_uint8(np.zeros(shape)).shape == expected


def test_channels_first_and_last_are_the_same_picture() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert np.array_equal(to_uint8(rgb), rgb)
    assert np.array_equal(to_uint8(np.moveaxis(rgb, 2, 0)), rgb)
    assert np.array_equal(to_uint8(rgb.transpose(2, 0, 1), layout="CHW"), rgb)


def test_transparent_pixels_show_a_checkerboard() -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:, :, 0] = 255
    rgba[0, 0, 3] = 255
    picture = to_uint8(rgba)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[0, 1].tolist() == [102] * 3
    assert picture[0, 8].tolist() == [153] * 3
    assert np.array_equal(to_uint8(rgba.astype(np.float32) / 255), picture)


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 3)), np.zeros(5), np.zeros((5, 5, 5)), np.zeros((2, 2), complex), np.array("x")],
)
def test_what_is_no_picture_is_refused_in_one_sentence(array: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"^[A-Z].*\.$"):
        to_uint8(array)


def test_a_range_must_go_upwards() -> None:
    with pytest.raises(PictureError, match="low to high"):
        to_uint8(np.zeros((2, 2)), value_range=(1, 0))


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(
        st.one_of(
            hnp.floating_dtypes(sizes=(16, 32, 64)),
            hnp.integer_dtypes(),
            hnp.unsigned_integer_dtypes(),
            hnp.boolean_dtypes(),
        ),
        st.one_of(
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
            st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])),
        ),
    )
)
def test_any_array_of_numbers_with_a_pictures_shape_becomes_one(array: np.ndarray) -> None:
    picture = to_uint8(array)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.shape[0] * picture.shape[1] * 4 >= array.size


def test_files_of_every_mode_load_as_rgb(tmp_path: Path) -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "F", "I"):
        source = Image.fromarray(gray)
        if mode == "I;16":
            source = Image.fromarray(gray.astype(np.uint16) * 257)
        else:
            source = (
                source.convert("RGB").convert(mode)
                if mode in ("CMYK", "YCbCr")
                else source.convert(mode)
            )
        path = tmp_path / f"{mode.replace(';', '')}.tiff"
        source.save(path)
        picture = load(path)
        assert picture.shape == (16, 16, 3), mode
        if mode not in ("1", "P"):
            assert np.abs(picture[:, :, 0].astype(int) - gray).max() <= 2, mode


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert load(tmp_path / "photo.jpg").shape == (4, 2, 3)


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("text.png", b"not a picture"),
        ("bomb.png", _png(60_000, 60_000, b"")),
        ("large.png", _png(8_000, MAX_PIXELS // 8_000 + 1, b"")),
        ("torn.png", _png(64, 64, zlib.compress(b"\0" * 99))),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_damaged_and_hostile_files_fail_in_one_sentence(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=name):
        load(tmp_path / name)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="not a file"):
        load(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="not a file"):
        load(tmp_path / "missing.png")
