"""CIFAR in both versions: read whole, and a hostile pickle runs nothing."""

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backends.data import Dataset, Images
from backends.data_error import DataError
from backends.datasets import _cifar, _cifar_archive, cifar, cifar10, icons_mini
from backends.datasets._resolve import load_dataset, resolve

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 3072), np.uint8)
FINE = [i % 7 for i in range(30)]
COARSE = [label // 3 for label in FINE]


def python_ten(folder: Path, protocol: int = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(5):
        part = slice(6 * i, 6 * i + 6)
        batch = {b"data": PIXELS[part], b"labels": FINE[part], b"batch_label": b"x"}
        (folder / f"data_batch_{i + 1}").write_bytes(pickle.dumps(batch, protocol))
    names = [f"animal {i}".encode() for i in range(7)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol))
    return folder


def binary_ten(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.concatenate([np.array(FINE, np.uint8)[:, None], PIXELS], axis=1)
    for i in range(5):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(rows[6 * i : 6 * i + 6].tobytes())
    (folder / "batches.meta.txt").write_text("\n".join("abcdefg") + "\n\n")
    return folder


def python_hundred(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    told = {b"data": PIXELS, b"fine_labels": FINE, b"coarse_labels": COARSE}
    (folder / "train").write_bytes(pickle.dumps(told, 2))
    names = {b"fine_label_names": [b"f"] * 7, b"coarse_label_names": [b"c"] * 3}
    (folder / "meta").write_bytes(pickle.dumps(names, 2))
    return folder


def binary_hundred(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.array([COARSE, FINE], np.uint8).T
    (folder / "train.bin").write_bytes(np.concatenate([labels, PIXELS], axis=1).tobytes())
    (folder / "fine_label_names.txt").write_text("f\n" * 7)
    (folder / "coarse_label_names.txt").write_text("c\n" * 3)
    return folder


def everything(data: Dataset) -> dict[bytes, int]:
    """Label by picture, of both parts."""
    found: dict[bytes, int] = {}
    for part in (data.train, data.validation):
        assert isinstance(part, Images)
        whole = part.to(torch.device("cpu"))
        assert whole.labels is not None
        for pixels, label in zip(whole.pixels, whole.labels.tolist(), strict=True):
            found[pixels.numpy().tobytes()] = label
    return found


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_python_version_is_read(tmp_path: Path, protocol: int) -> None:
    data = load_dataset(str(python_ten(tmp_path / "x", protocol)), "image", {}, 0.1, 4)
    assert data.shape.size == (3, 32, 32)
    assert data.shape.classes[2] == "animal 2"
    expected = {row.tobytes(): label for row, label in zip(PIXELS, FINE, strict=True)}
    assert everything(data) == expected


def test_the_binary_version_is_the_same(tmp_path: Path) -> None:
    one = cifar.load(cifar.Config(), binary_ten(tmp_path / "b"), 0.1)
    two = cifar.load(cifar.Config(), python_ten(tmp_path / "p"), 0.1)
    assert everything(one) == everything(two)
    assert one.shape.classes == tuple("abcdefg")


@pytest.mark.parametrize("make", [python_hundred, binary_hundred])
@pytest.mark.parametrize(("labels", "wanted"), [("fine", FINE), ("coarse", COARSE)])
def test_a_hundred_classes_are_in_twenty(
    tmp_path: Path, make: Any, labels: Any, wanted: list[int]
) -> None:
    folder = make(tmp_path / "x")
    assert resolve(str(folder), "image")[0] == "cifar"
    data = cifar.load(cifar.Config(labels=labels), folder, 0.1)
    assert sorted(everything(data).values()) == sorted(wanted)
    assert set(data.shape.classes) == {labels[0]}


class Evil:
    """Would make a file if its pickle were trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_asks_for_code_is_refused_and_runs_nothing(
    tmp_path: Path, protocol: int
) -> None:
    folder = python_ten(tmp_path / "x")
    evil = pickle.dumps({b"data": Evil(tmp_path / "made"), b"labels": FINE}, protocol)
    (folder / "data_batch_3").write_bytes(evil)
    with pytest.raises(DataError, match=r"data_batch_3 cannot be read: it asks for posix\.mkdir"):
        cifar.load(cifar.Config(), folder, 0.1)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([1, 2], "does not hold a table of values"),
        ({b"data": PIXELS[:6], b"labels": [1]}, "and a label for each picture"),
        ({b"data": PIXELS[:6, :9], b"labels": FINE[:6]}, "does not hold 3,072 bytes"),
        ({b"data": PIXELS[:6].astype(float), b"labels": FINE[:6]}, "does not hold 3,072 bytes"),
        ({b"data": PIXELS[:6], b"labels": [-1] * 6}, "and a label for each picture"),
    ],
)
def test_a_batch_of_something_else_is_refused(tmp_path: Path, told: Any, sentence: str) -> None:
    folder = python_ten(tmp_path / "x")
    (folder / "data_batch_1").write_bytes(pickle.dumps(told, 2))
    with pytest.raises(DataError, match=sentence):
        cifar.load(cifar.Config(), folder, 0.1)


def test_files_that_are_missing_or_cut_off_are_named(tmp_path: Path) -> None:
    folder = binary_ten(tmp_path / "b")
    (folder / "data_batch_4.bin").write_bytes(b"1234")
    with pytest.raises(DataError, match=r"data_batch_4\.bin is 4 bytes, no multiple of 3073"):
        cifar.load(cifar.Config(), folder, 0.1)
    (folder / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"the CIFAR file data_batch_4\.bin is missing"):
        cifar.load(cifar.Config(), folder, 0.1)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(data: bytes) -> None:
    try:
        told = _cifar.unpickled(data, "it")
    except DataError:
        return
    assert isinstance(told, dict)


@given(at=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_is_data_or_an_error(at: int, value: int) -> None:
    data = bytearray(pickle.dumps({b"data": PIXELS[:2], b"labels": [1, 2]}, 2))
    data[at % len(data)] = value
    try:
        told = _cifar.unpickled(bytes(data), "it")
    except DataError:
        return
    assert isinstance(told, dict)


# --------------------------------------------------------------------------- the published archive


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What would be published, and a place that is offline."""
    folder, path = python_ten(tmp_path / "made"), tmp_path / "web.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, f"cifar-10-batches-py/{file.name}")
        outside = tarfile.TarInfo("../../outside")
        outside.size = 4
        tar.addfile(outside, io.BytesIO(b"evil"))
        link = tarfile.TarInfo("test_batch")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "ARCHIVE", _cifar_archive.Archive("cifar10", "web.tar.gz", md5))
    monkeypatch.setattr(_cifar_archive, "URL", f"{tmp_path.as_uri()}/")
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path / "cache"))
    return path


def test_the_published_set_is_downloaded_once_and_nothing_is_unpacked(
    archive: Path, tmp_path: Path
) -> None:
    first = load_dataset("cifar10", "image", {}, 0.1, 4)
    archive.unlink()
    second = load_dataset("cifar10", "image", {}, 0.1, 4)
    assert everything(first) == everything(second)
    kept = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == ["web.tar.gz"]


def test_a_download_of_something_else_is_not_kept(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(b"an error page")
    with pytest.raises(
        DataError, match=r"what came is not web\.tar\.gz \(MD5 differs\): go online"
    ):
        load_dataset("cifar10", "image", {}, 0.1, 4)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_offline_the_way_out_is_named(archive: Path) -> None:
    archive.unlink()
    with pytest.raises(DataError, match="or give a folder with its files as --data"):
        load_dataset("cifar10", "image", {}, 0.1, 4)


# --------------------------------------------------------------------------- icons


def test_icons_lie_over_white() -> None:
    data = icons_mini.load(icons_mini.Config(), None, 0.1)
    assert data.shape.size == (3, 16, 16)
    assert data.shape.classes == ()
    assert len(data.train) + len(data.validation) == 1000
    x, _ = data.train.fetch(torch.arange(900), torch.zeros(900, dtype=torch.int64), 0)
    corner = x[:, :, 0, 0]
    assert (corner == 1).all(1).float().mean() > 0.8
    large = icons_mini.load(icons_mini.Config(size="32"), None, 0.1)
    twice, _ = large.train.fetch(torch.arange(900), torch.zeros(900, dtype=torch.int64), 0)
    assert torch.equal(twice[:, :, ::2, 1::2], x)
