"""IDX files and the sets that come in them: Fashion-MNIST, whole and mini, and folders like it."""

import gzip
import http.server
import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from backends.data import Dataset, Images
from backends.data_error import DataError
from backends.datasets import _idx, fashion_mini, fashion_mnist, idx
from backends.datasets._fashion import CLASSES

Bytes = NDArray[np.uint8]


def packed(values: Bytes) -> bytes:
    return _idx.header(values) + values.tobytes()


def made(count: int = 50, side: int = 28) -> tuple[Bytes, Bytes]:
    random = np.random.default_rng(0)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return random.integers(0, 256, (count, side, side), np.uint8), labels


def write(folder: Path, images: Bytes, labels: Bytes, *, gz: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in ((_idx.IMAGES[0], images), (_idx.LABELS[0], labels)):
        data = packed(values)
        (folder / f"{name}{'.gz' if gz else ''}").write_bytes(gzip.compress(data) if gz else data)
    return folder


def pixels(dataset: Dataset) -> torch.Tensor:
    assert isinstance(dataset.train, Images)
    assert isinstance(dataset.validation, Images)
    return torch.cat([dataset.train.pixels, dataset.validation.pixels])


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=6)))
def test_idx_goes_there_and_back(values: Bytes) -> None:
    assert np.array_equal(_idx.parse(io.BytesIO(packed(values)), values.ndim, "it"), values)


@given(st.data(), arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=4)))
def test_idx_of_another_length_is_refused(data: st.DataObject, values: Bytes) -> None:
    whole = packed(values)
    short = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for wrong in (short, whole + b"x"):
        with pytest.raises(DataError, match=r"^it "):
            _idx.parse(io.BytesIO(wrong), values.ndim, "it")


@given(st.binary(max_size=40), st.integers(1, 3))
def test_idx_of_any_bytes_is_an_array_or_an_error(data: bytes, dims: int) -> None:
    with suppress(DataError):
        assert packed(_idx.parse(io.BytesIO(data), dims, "it")) == data


@pytest.mark.parametrize(
    "sizes", [(0, 28, 28), (2**32 - 1, 2**32 - 1, 2**32 - 1), (2**20, 2**10, 2**10)]
)
def test_idx_that_promises_too_much_or_nothing_is_refused(sizes: tuple[int, ...]) -> None:
    data = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in sizes)
    with pytest.raises(DataError, match="promises"):
        _idx.parse(io.BytesIO(data), 3, "it")


@given(st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_a_gzip_that_is_cut_off_is_refused(
    tmp_path_factory: pytest.TempPathFactory, n: int
) -> None:
    whole = gzip.compress(packed(made(4)[0]))
    path = tmp_path_factory.getbasetemp() / "cut.gz"
    path.write_bytes(whole[: max(0, len(whole) - 1 - n * len(whole) // 201)])
    with pytest.raises(DataError):
        _idx.read(path, 3)


def test_a_gzip_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(packed(made(4)[0])))
    whole[len(whole) // 2] ^= 16
    (tmp_path / "bad.gz").write_bytes(whole)
    with pytest.raises(DataError):
        _idx.read(tmp_path / "bad.gz", 3)


def test_fashion_mini_is_embedded() -> None:
    data = fashion_mini.load(fashion_mini.Config(flip=True), None, 0.1)
    assert data.shape.size == (1, 28, 28)
    assert data.shape.classes == CLASSES
    assert (len(data.train), len(data.validation)) == (1800, 200)
    assert isinstance(data.train, Images)
    assert isinstance(data.validation, Images)
    assert data.train.flip
    assert not data.validation.flip
    assert data.train.labels is not None
    assert data.validation.labels is not None
    counts = torch.bincount(torch.cat([data.train.labels, data.validation.labels]))
    assert counts.tolist() == [200] * 10
    assert torch.bincount(data.validation.labels, minlength=10).min() > 5
    pixels = data.train.to(torch.device("cpu")).pixels
    boots = pixels[data.train.labels == 9].float().mean(0)[0]
    sandals = pixels[data.train.labels == 5].float().mean(0)[0]
    assert boots[:14].mean() > 2 * sandals[:14].mean()  # boots have shafts


@pytest.mark.parametrize("gz", [True, False])
def test_a_folder_of_idx_files_is_read(tmp_path: Path, gz: bool) -> None:
    images, labels = made()
    data = idx.load(idx.Config(), write(tmp_path, images, labels, gz=gz), 0.2)
    assert data.shape.classes == tuple("0123456789")
    assert (len(data.train), len(data.validation)) == (40, 10)
    assert torch.equal(pixels(data).double().mean(), torch.from_numpy(images).double().mean())


def test_dots_in_the_names_of_idx_files_are_known(tmp_path: Path) -> None:
    images, labels = made(4)
    (tmp_path / _idx.IMAGES[1]).write_bytes(packed(images))
    (tmp_path / _idx.LABELS[1]).write_bytes(packed(labels))
    assert len(idx.load(idx.Config(), tmp_path, 0.5).train) == 2


def test_folders_of_idx_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    images, labels = made()
    with pytest.raises(DataError, match="has no file train-images-idx3-ubyte"):
        idx.load(idx.Config(), tmp_path, 0.1)
    write(tmp_path, images, labels[:-1], gz=False)
    with pytest.raises(DataError, match="49 labels for 50 pictures"):
        idx.load(idx.Config(), tmp_path, 0.1)
    write(tmp_path, labels, labels, gz=False)
    with pytest.raises(DataError, match=r"no IDX file of 3-D bytes: 00000801 for 00000803"):
        idx.load(idx.Config(), tmp_path, 0.1)
    write(tmp_path, images[:, :2], labels, gz=False)
    with pytest.raises(DataError, match="pictures of 2 x 28"):
        idx.load(idx.Config(), tmp_path, 0.1)
    write(tmp_path, images[:1], labels[:1], gz=False)
    with pytest.raises(DataError, match="1 picture, and 1 must be held out"):
        idx.load(idx.Config(), tmp_path, 0.1)


class Place:
    """A made-up Fashion-MNIST, and where the loader looks for it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images, self.labels = made()
        self.cache = root / "cache" / "datasets" / "fashion-mnist"
        self.system, self.web = root / "system", root / "web"
        digests = {3: _idx.digest(self.images), 1: _idx.digest(self.labels)}
        monkeypatch.setenv("GENAI_TUI_CACHE", str(root / "cache"))
        monkeypatch.setattr(fashion_mnist, "SHA256", digests)
        monkeypatch.setattr(fashion_mnist, "SYSTEM", self.system)
        monkeypatch.setattr(fashion_mnist, "URL", f"{self.web.as_uri()}/")

    def publish(self, folder: Path) -> None:
        write(folder, self.images, self.labels, gz=True)

    def load(self, path: Path | None = None) -> Dataset:
        return fashion_mnist.load(fashion_mnist.Config(), path, 0.1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize("where", ["cache", "system"])
def test_the_full_set_is_found(place: Place, where: str) -> None:
    place.publish(getattr(place, where))
    data = place.load()
    assert data.shape.classes == CLASSES
    assert len(data.train) + len(data.validation) == 50
    assert not place.web.exists()


def test_a_path_comes_first(place: Place, tmp_path: Path) -> None:
    place.publish(tmp_path / "mine")
    assert len(place.load(tmp_path / "mine").train) == 45
    with pytest.raises(DataError, match="has no file"):
        place.load(tmp_path / "empty")


def test_the_full_set_is_downloaded_once(place: Place) -> None:
    place.publish(place.web)
    place.load()
    names = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"}
    assert {path.name for path in place.cache.iterdir()} == names
    for path in place.web.iterdir():
        path.unlink()
    assert len(place.load().train) == 45


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that serves tmp_path/web."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "web"))  # pyright: ignore

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
        httpd.shutdown()
        thread.join()


def test_the_full_set_comes_over_http(
    place: Place, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fashion_mnist, "URL", server)
    place.publish(place.web)
    assert len(place.load().train) == 45
    for path in [*place.cache.iterdir(), *place.web.iterdir()]:
        path.unlink()
    with pytest.raises(
        DataError, match=r"cannot be fetched \(File not found\).*train on fashion-mini"
    ):
        place.load()


def test_offline_the_mini_set_is_named(place: Place) -> None:
    with pytest.raises(DataError, match=r"is not on this machine and .*train on fashion-mini"):
        place.load()
    assert list(place.cache.iterdir()) == []


def test_a_download_of_something_else_is_not_kept(place: Place) -> None:
    write(place.web, place.images[::-1], place.labels, gz=True)
    with pytest.raises(DataError, match="the pictures in the download are not those"):
        place.load()
    (place.web / "train-images-idx3-ubyte.gz").write_text("<html>log in here</html>")
    with pytest.raises(DataError, match="no IDX file"):
        place.load()
    assert list(place.cache.iterdir()) == []


@pytest.mark.parametrize("gz", [True, False])
def test_a_damaged_cache_is_replaced(place: Place, gz: bool) -> None:
    write(place.cache, place.images, place.labels[::-1], gz=gz)
    place.publish(place.web)
    assert len(place.load().train) == 45
    fashion_mnist._verified(place.cache)


def test_a_cache_that_cannot_be_written_is_named(place: Place, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="set GENAI_TUI_CACHE to a folder that can"):
        place.load()


@pytest.mark.skipif(not fashion_mnist.SYSTEM.is_dir(), reason="dataset-fashion-mnist not installed")
def test_the_published_set_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path))
    data = fashion_mnist.load(fashion_mnist.Config(), None, 0.1)
    assert (len(data.train), len(data.validation)) == (54_000, 6_000)
    assert list(tmp_path.iterdir()) == []
    assert idx.load(idx.Config(), fashion_mnist.SYSTEM, 0.1).shape.classes == CLASSES
    mini = fashion_mini.load(fashion_mini.Config(), None, 0.1)
    rows = {row.tobytes() for row in pixels(data).numpy()}
    assert all(row.tobytes() in rows for row in pixels(mini).numpy())
