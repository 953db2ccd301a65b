"""What a user may type for data, and the promises that every entry keeps."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from backends.data import Order
from backends.data_error import DataError
from backends.datasets import _entries
from backends.datasets._resolve import load_dataset, resolve
from backends.knobs import ConfigError, knobs
from backends.records import DataKind

EMBEDDED = [name for name in _entries.own() if _entries.entry(name).EMBEDDED]
OWN = _entries.own()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(44):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    file = tmp_path / "texts" / "mine.txt"
    file.write_text("to be or not to be\n" * 200)
    return file


def test_every_file_of_the_room_is_an_entry() -> None:
    assert {"fashion-mini", "image-folder", "oneshots-mini", "audio-folder"} <= set(OWN)
    assert not [name for name in OWN if name.startswith(("-", "_"))]


@pytest.mark.parametrize("name", OWN)
def test_an_entry_says_what_it_is(name: str) -> None:
    entry = _entries.entry(name)
    caption = (entry.__doc__ or "").splitlines()[0]
    assert caption.endswith(".")
    assert len(caption) < 100
    assert entry.MODALITY in get_args(DataKind)
    assert hasattr(entry, "fits") == entry.NEEDS_PATH
    for knob in knobs(entry.Config):
        assert knob.help
        assert knob.parse(knob.default) == knob.default
    assert all(field.kw_only for field in fields(entry.Config))
    assert entry.Config.__dataclass_params__.frozen  # pyright: ignore


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_set_trains_at_once(name: str) -> None:
    modality = _entries.entry(name).MODALITY
    data = load_dataset(name, modality, {}, 0.1, 64)
    x, y = Order(data.train, 64, 0).batch(0)
    if modality in ("image", "audio"):
        assert x.shape == (64, *data.shape.size)
        assert x.min() >= -1
        assert x.max() <= 1
        assert (y is not None) == bool(data.shape.classes)
        assert y is None or int(y.max()) < data.shape.num_classes
    elif modality == "text":
        assert x.shape == (64, data.shape.size[0] + 1)
        assert data.shape.vocabulary is not None
        assert int(x.max()) < data.shape.vocabulary.size
    assert len(data.validation) >= 1


def test_names_are_listed_without_importing_any() -> None:
    code = (
        "import sys; from backends.datasets import _entries; print(*_entries.names());"
        "assert not [m for m in sys.modules if m.startswith('backends.datasets.') "
        "and not m.startswith('backends.datasets._')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert set(OWN) <= set(done.stdout.split())


def test_names_and_paths_are_told_apart(
    pictures: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve("fashion-mini", "image") == ("fashion-mini", None)
    assert resolve("fashion_mini", "image") == ("fashion-mini", None)
    assert resolve(str(pictures), "image") == ("image-folder", pictures)
    assert resolve(str(text), "text") == ("text-file", text)
    assert resolve(str(text.parent), "text") == ("text-file", text.parent)
    monkeypatch.chdir(pictures.parent)
    monkeypatch.setenv("HOME", str(pictures.parent))
    assert resolve("pictures", "image") == ("image-folder", pictures)
    assert resolve("~/pictures", "image") == ("image-folder", pictures)
    (pictures.parent / "names").mkdir()
    assert resolve("names", "text") == ("names", None)


def test_a_folder_of_both_is_what_the_model_learns(pictures: Path, text: Path) -> None:
    (pictures / "readme.md").write_text("about these")
    assert resolve(str(pictures), "image")[0] == "image-folder"
    assert resolve(str(pictures), "text")[0] == "text-file"


def test_idx_comes_before_pictures(pictures: Path) -> None:
    (pictures / "train-images-idx3-ubyte.gz").write_bytes(b"")
    assert resolve(str(pictures), "image")[0] == "idx"


@pytest.mark.parametrize(
    ("typed", "modality", "sentence"),
    [
        ("shakespeer", "text", "unknown data set: 'shakespeer'; did you mean shakespeare-mini"),
        ("no/such", "text", "no/such does not exist: give a path that does"),
        ("a\0/b", "image", r"a\\x00/b does not exist"),
        ("~nobody-here/x", "image", "does not exist"),
        ("x" * 5000, "image", "unknown data set"),
        ("names", "image", "names holds text, but the model learns pictures: use one of fashion-"),
        ("fashion-mini", "text", "holds pictures, but the model learns text: use one of names"),
        ("PICTURES", "text", "holds pictures, but the model learns text: give a text file or"),
        ("TEXTS", "image", "holds text, but the model learns pictures: give a folder of pictures"),
        ("TEXT", "image", "holds text, but the model learns pictures"),
        ("PICTURE", "text", "is not a text file or a folder of .txt or .md files"),
        ("PICTURE", "image", "is not a folder of pictures or of IDX files"),
        ("EMPTY", "image", "is empty: give a folder of pictures or of IDX files"),
        ("PIPE", "text", "is neither a file nor a folder"),
        ("image-folder", "image", "needs a path: give that of a folder of pictures"),
    ],
)
def test_what_cannot_be_meant_is_explained(
    pictures: Path, text: Path, typed: str, modality: str, sentence: str
) -> None:
    paths = {"PICTURES": pictures, "PICTURE": pictures / "1.png", "TEXT": text}
    paths |= {"TEXTS": text.parent, "EMPTY": pictures.parent / "e", "PIPE": pictures / "pipe"}
    paths["EMPTY"].mkdir()
    os.mkfifo(paths["PIPE"])
    with pytest.raises(DataError, match=sentence) as caught:
        load_dataset(str(paths.get(typed, typed)), modality, {}, 0.1, 4)
    assert "\n" not in str(caught.value)


def test_knobs_are_checked(pictures: Path) -> None:
    data = load_dataset(str(pictures), "image", {"size": "16", "color": "rgb"}, 0.1, 8)
    assert data.shape.size == (3, 16, 16)
    with pytest.raises(ConfigError, match="unknown knob of image-folder: 'sise'; did you mean"):
        load_dataset(str(pictures), "image", {"sise": 16}, 0.1, 8)
    with pytest.raises(ConfigError, match="size must be a whole number from 8 to 512, not '4'"):
        load_dataset(str(pictures), "image", {"size": 4}, 0.1, 8)


def test_there_must_be_a_batch_to_train_on(pictures: Path, text: Path) -> None:
    with pytest.raises(DataError, match="has 40 training items, fewer than batch_size 64: lower"):
        load_dataset(str(pictures), "image", {}, 0.1, 64)
    with pytest.raises(DataError, match="lower batch_size or context, or add text"):
        load_dataset(str(text), "text", {}, 0.1, 100)
    assert len(load_dataset(str(pictures), "image", {}, 0.1, 40).train) == 40


PLUGIN = '''
"""Ten zeros."""
from dataclasses import dataclass
MODALITY, EMBEDDED, NEEDS_PATH = "image", False, False
@dataclass(frozen=True, kw_only=True)
class Config: pass
def load(config, path, validation): raise NotImplementedError
'''


def test_other_packages_add_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = (
        "[genai_tui.datasets]\nzeros_set = plugin_zeros\nbroken = plugin_broken\nodd = plugin_odd\n"
    )
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(points)
    (tmp_path / "plugin_zeros.py").write_text(PLUGIN)
    (tmp_path / "plugin_broken.py").write_text("import no_such_module_at_all")
    (tmp_path / "plugin_odd.py").write_text("MODALITY = 'image'")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"zeros_set", "broken", "odd", *OWN} <= set(_entries.names())
    assert resolve("zeros_set", "image") == ("zeros_set", None)
    with pytest.raises(DataError, match="broken cannot be imported: No module named"):
        resolve("broken", "image")
    with pytest.raises(DataError, match="odd cannot be used: it lacks EMBEDDED, NEEDS_PATH"):
        resolve("odd", "image")
    assert set(_entries.kinds()) >= {"idx", "image-folder", "text-file"}
