"""Row 22: hostile files in a folder of data, as weights and as a checkpoint.

No code of theirs runs, memory stays under CAP, nothing waits for ever, links lead nowhere, and what
was left out is counted and named. Each is read in a process of its own, whose memory is measured.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import nn

from backends.checkpoints import CheckpointError, load_newest
from backends.data_error import DataError
from backends.foreign import ForeignError, convert
from backends.knobs import ConfigError
from backends.weights import begin_with
from faults.scorecard import Entry
from faults.terminal import SECONDS_OF_PATIENCE

CAP = 1 << 30
"""Bytes that a process which reads such files may come to, PyTorch included."""
DEVOUR = Path(__file__).with_name("devour.py")
ROOT = Path(__file__).parents[2]


class Evil:
    """Makes a file when its pickle is trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def devour(kind: str, path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(DEVOUR), kind, str(path)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS_OF_PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GENAI_TUI_CACHE": f"{path}.cache"},
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    told = json.loads(done.stdout)
    assert told["peak"] < CAP, f"{told['peak'] >> 20} MiB"
    return told


def load(kind: str, path: Path) -> dict[str, Any]:
    """The same in this process: for what is small and can but run code or lead elsewhere."""
    module = import_module(f"backends.datasets.{kind}")
    try:
        data = module.load(module.Config(), path, 0.1)
    except DataError as error:
        return {"items": 0, "notices": [], "error": str(error)}
    return {"items": len(data.train) + len(data.validation), "notices": data.notices, "error": ""}


def png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG whose header and content need not agree."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rest = b"".join(chunk(kind, body) for kind, body in more)
    return b"\x89PNG\r\n\x1a\n" + header + rest + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF whose screen is huge and whose frames are small."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b";"


def zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 9)


def pictures(folder: Path, made: Path) -> int:
    """Three good pictures and many that are not; how many are not to be used."""
    for index in range(3):
        Image.new("L", (32, 32), 40 * index).save(folder / f"good{index}.png")
    good = (folder / "good0.png").read_bytes()
    evil = pickle.dumps(Evil(made))
    wrong = {
        "bomb.png": png(100_000, 100_000, zeros(1 << 20)),
        "bomb-within-limits.png": png(5_600, 5_600, zeros(1 << 28)),
        "sound-but-large.png": png(6_000, 6_000, zeros(6_000 * 6_001)),  # the limit alone bars it
        "text-bomb.png": png(8, 8, zeros(72), (b"zTXt", b"a\0\0" + zeros(1 << 28))),
        "profile-bomb.png": png(8, 8, zeros(72), (b"iCCP", b"a\0\0" + zeros(1 << 28))),
        "strip.png": png(20_000, 20_000, zeros(1 << 20)),
        "bomb.gif": gif(65_535, 65_535, 1),
        "frames.gif": gif(65_535, 600, 3),
        "pickle.png": evil,
        "pickle.safetensors.png": evil,
        "cut.png": good[: len(good) // 2],
        "empty.jpg": b"",
        "words.jpg": b"no picture" * 1000,
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n",
        "tiff-bomb.tif": b"II*\0" + struct.pack("<I", 8) + tiff_entries(60_000, 60_000),
        "webp-bomb.webp": webp(16_383, 16_383),
    }
    for name, content in wrong.items():
        (folder / name).write_bytes(content)
    with (folder / "endless.png").open("wb") as file:
        file.truncate(1 << 40)
    with (folder / "sparse.jpg").open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate(1 << 40)
    used = {"script.eps"}  # no ending that is taken for a picture
    harmless = {"profile-bomb.png"}  # what it holds beside pixels is left alone
    return len(wrong) + 2 - len(used) - len(harmless)


def tiff_entries(width: int, height: int) -> bytes:
    tags = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8))
    tags += ((262, 3, 1, 1), (273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, 8))
    return struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)


def webp(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def shut(folder: Path, outside: Path, ending: str) -> int:
    """Links, a FIFO and devices; how many."""
    (folder / f"link{ending}").symlink_to(outside)
    (folder / f"zero-link{ending}").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / f"pipe{ending}")
    if os.getuid() == 0:
        os.mknod(folder / f"zero{ending}", 0o20666, os.makedev(1, 5))
        return 5
    return 4


def test_a_folder_of_pictures(tmp_path: Path, scorecard: Entry) -> None:
    folder, made = tmp_path / "data", tmp_path / "made"
    folder.mkdir()
    Image.new("L", (32, 32), 255).save(tmp_path / "outside.png")
    left_out = pictures(folder, made)
    closed = shut(folder, tmp_path / "outside.png", ".png")
    told = devour("image_folder", folder)
    assert not made.exists()
    assert not told["error"]
    skipped, kept_shut = sorted(told["notices"], key=lambda one: "links" in one)
    assert skipped.startswith(f"{left_out} files of {folder} skipped: ")
    assert f"and {closed - 3} more" in kept_shut
    scorecard(row=22, tried=left_out + closed, lost=0)


def test_a_folder_of_sounds(tmp_path: Path, scorecard: Entry) -> None:
    folder, made = tmp_path / "data", tmp_path / "made"
    folder.mkdir()
    tone = np.sin(np.arange(48_000) / 20) / 2
    for index in range(3):
        soundfile.write(folder / f"good{index}.wav", tone, 16_000)
    good = (folder / "good0.wav").read_bytes()
    wrong = {
        "pickle.wav": pickle.dumps(Evil(made)),
        "rate.wav": good[:24] + b"\xff\xff\xff\x7f" + good[28:],
        "channels.wav": good[:22] + b"\xff\xff" + good[24:],
        "empty.flac": b"",
        "words.ogg": b"no sound" * 1000,
        "head.flac": b"fLaC" + bytes(64),
    }
    for name, content in wrong.items():
        (folder / name).write_bytes(content)
    with (folder / "endless.aiff").open("wb") as file:
        file.truncate(1 << 40)
    with (folder / "sparse.wav").open("wb") as file:
        file.write(good[:40] + b"\xff\xff\xff\x7f")
        file.truncate(1 << 40)
    closed = shut(folder, folder / "good0.wav", ".wav")
    told = devour("audio_folder", folder)
    assert not told["error"]
    assert not made.exists()
    assert any(f"{len(wrong) + 2} files" in notice for notice in told["notices"])
    assert any("are not opened" in notice for notice in told["notices"])
    scorecard(row=22, tried=len(wrong) + 2 + closed, lost=0)


TEXTS = {
    "utf-16": "Größe".encode("utf-16") * 200,
    "latin-1": "Größe ".encode("latin-1") * 200,
    "overlong": b"\xc0\xaf" * 500,
    "surrogates": b"\xed\xa0\x80" * 400,
    "zeros": bytes(4096),
    "controls": bytes(range(32)) * 40,
}


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("text_file", 1 << 40),
        pytest.param("text_file", 1 << 31, marks=pytest.mark.faults_long),
        pytest.param("pairs_file", 1 << 40, marks=pytest.mark.faults_long),
        pytest.param("csv_file", 1 << 40, marks=pytest.mark.faults_long),
    ],
)
def test_a_text_without_end(kind: str, size: int, tmp_path: Path, scorecard: Entry) -> None:
    path = tmp_path / "endless.txt"
    with path.open("wb") as file:
        file.truncate(size)
    assert "larger than 0.2 GiB" in devour(kind, path)["error"]
    scorecard(row=22, tried=1, lost=0)


def test_texts_of_broken_encodings(tmp_path: Path, scorecard: Entry) -> None:
    """Read in this process: what they take is what their bytes take."""
    lost = 0
    for name, content in TEXTS.items():
        path = tmp_path / f"{name}.txt"
        path.write_bytes(content)
        for kind in ("text_file", "pairs_file", "csv_file"):
            told = load(kind, path)
            lost += not told["items"] and path.name not in told["error"]
    assert not lost
    scorecard(row=22, tried=3 * len(TEXTS), lost=lost)


def test_a_folder_of_idx_files_that_are_bombs(tmp_path: Path, scorecard: Entry) -> None:
    head = bytes((0, 0, 8, 3)) + struct.pack(">III", 60_000, 28, 28)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(1 << 29), 9))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes((0, 0, 8, 1)) + b"\xff\xff\xff\xff")
    assert "goes on after 47,040,000 bytes" in devour("idx", tmp_path)["error"]
    scorecard(row=22, tried=1, lost=0)


def test_a_pickle_of_cifar_runs_nothing(tmp_path: Path, scorecard: Entry) -> None:
    folder, made = tmp_path / "cifar", tmp_path / "made"
    folder.mkdir()
    evil = pickle.dumps({b"data": Evil(made), b"labels": [0] * 9})
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(evil)
    assert "which data have no need of" in load("cifar", folder)["error"]
    assert not made.exists()
    scorecard(row=22, tried=5, lost=0)


def archive(kind: str, made: Path) -> bytes:
    """An archive whose members would lie outside of where it is unpacked, or lead there."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"../../{made.name}", "x")
            file.writestr("bomb.png", bytes(1 << 26))
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            for name in (f"../{made.name}", str(made)):
                file.addfile(tarfile.TarInfo(name), io.BytesIO())
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, str(made.parent)
            file.addfile(link)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_among_data_is_not_unpacked(kind: str, tmp_path: Path, scorecard: Entry) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    content = archive(kind, tmp_path / "made")
    for name in (f"data.{kind}", f"{kind}.png"):
        (folder / name).write_bytes(content)
    for index in range(3):
        Image.new("L", (32, 32), 40 * index).save(folder / f"good{index}.png")
    told = load("image_folder", folder)
    assert told["items"] == 3
    assert any(f"{kind}.png (no known format)" in notice for notice in told["notices"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    scorecard(row=22, tried=2, lost=0)


def header(told: object, size: int | None = None, rest: bytes = b"") -> bytes:
    text = json.dumps(told).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + rest


TENSORS = {
    "absurd header": header({}, 1 << 62),
    "header of a gigabyte": header({}, 1 << 30),
    "header alone": struct.pack("<Q", 99),
    "nothing": b"",
    "shape": header({"a": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 4]}}),
    "overlap": header(
        {
            name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
            for name in ("weight", "bias")
        },
        rest=bytes(4),
    ),
    "offsets": header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 1 << 60]}}),
    "deep": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "dtype": header({"a": {"dtype": "\x1b]2;x\x07", "shape": [1], "data_offsets": [0, 4]}}),
}


@pytest.mark.parametrize("name", ["pickle", "torch", *TENSORS])
def test_weights_that_are_none(name: str, tmp_path: Path, scorecard: Entry) -> None:
    """Read in this process, as a worker reads them: nothing runs, and one sentence says why not."""
    path, made = tmp_path / "weights.safetensors", tmp_path / "made"
    if name == "torch":
        torch.save({"weight": Evil(made)}, path)
    else:
        path.write_bytes(TENSORS.get(name) or pickle.dumps(Evil(made)) * (name == "pickle"))
    with pytest.raises(ConfigError, match=r"weights .* cannot be read|none of those weights"):
        begin_with(nn.Linear(2, 2), path)  # pyright: ignore[reportArgumentType]
    assert not made.exists()
    scorecard(row=22, tried=1, lost=0)


@pytest.mark.parametrize("name", ["pickle", *TENSORS])
def test_a_checkpoint_of_such_files(name: str, tmp_path: Path, scorecard: Entry) -> None:
    """Also one whose manifest vouches for them."""
    folder, made = tmp_path / "step-000010", tmp_path / "made"
    folder.mkdir()
    content = TENSORS.get(name) or pickle.dumps(Evil(made)) * (name == "pickle")
    state = json.dumps({"parts": {"model": {"weight": {"$tensor": "weight"}}}}).encode()
    files = {"model.safetensors": content, "state.json": state}
    for file, data in files.items():
        (folder / file).write_bytes(data)
    told = {
        file: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for file, data in files.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": told}))
    with pytest.raises(CheckpointError, match="no checkpoint can be used"):
        load_newest(tmp_path)
    assert not made.exists()
    scorecard(row=22, tried=1, lost=0)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "state.json/../../outside"])
def test_a_manifest_leads_nowhere(name: str, tmp_path: Path, scorecard: Entry) -> None:
    folder = tmp_path / "step-000010"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"x")
    entry = {"bytes": 1, "sha256": "0" * 64}
    told = {"format": 1, "files": {"state.json": entry, name: entry}}
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="other files than its own"):
        load_newest(tmp_path)
    scorecard(row=22, tried=1, lost=0)


def claiming(count: int, *, inflated: int = 0) -> bytes:
    """What ``torch.save`` writes of one tensor, but that it claims ``count`` values.

    Args:
        inflated: bytes of zeros that its values are said to be, packed into a thousandth of that.
    """
    buffer, made = io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.zeros(7777)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                honest = b"M" + struct.pack("<H", 7777)
                assert honest in data
                data = data.replace(honest, b"\x8a\x06" + count.to_bytes(6, "little"))
            if name.endswith("data/0") and inflated:
                target.writestr(name, bytes(inflated), zipfile.ZIP_DEFLATED, 1)
                continue
            target.writestr(name, data)
    return made.getvalue()


def repeated() -> bytes:
    """A tensor of 10^12 values that are all the same one."""
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, buffer)
    return buffer.getvalue()


def pickled(value: object, *, archived: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=archived)
    return buffer.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "inflated": lambda: claiming(1 << 28, inflated=1 << 30),
    "10^12 values": lambda: claiming(10**12),
    "10^12 times the same": repeated,
}


@pytest.mark.parametrize(
    "name",
    ["inflated", *(pytest.param(n, marks=pytest.mark.faults_long) for n in [*BOMBS][1:])],
)
def test_foreign_weights_that_are_bombs(name: str, tmp_path: Path, scorecard: Entry) -> None:
    path = tmp_path / "bomb.pt"
    path.write_bytes(BOMBS[name]())
    told = devour("import", path)
    assert str(path) in told["error"]
    assert [file.name for file in tmp_path.iterdir()] == ["bomb.pt"]
    scorecard(row=22, tried=1, lost=0)


def test_foreign_weights_run_nothing(tmp_path: Path, scorecard: Entry) -> None:
    """Read in this process: what may not be run is refused before there is anything to limit."""
    path, made, target = tmp_path / "evil.pt", tmp_path / "made", tmp_path / "own.safetensors"
    evil = {"weight": torch.ones(2), "more": Evil(made)}
    contents = {
        "archive": pickled(evil),
        "before 1.6": pickled(evil, archived=False),
        "module": pickled(nn.Linear(2, 2)),
        "pickle": pickle.dumps(Evil(made)),
        "pickle of tensors": pickle.dumps(evil),
        "protocol 0": pickle.dumps(Evil(made), 0),
    }
    for content in contents.values():
        path.write_bytes(content)
        with path.open("rb") as source, pytest.raises(ForeignError, match=r"run(ning)? code"):
            convert(source, target)
        assert not made.exists()
        assert not target.exists()
    scorecard(row=22, tried=len(contents), lost=0)


def test_foreign_weights_that_are_damaged(tmp_path: Path, scorecard: Entry) -> None:
    """Cut and flipped anywhere: a phrase that says so, or tensors, and nothing else."""
    path, target, dice = tmp_path / "weights.pt", tmp_path / "own.safetensors", random.Random(22)
    whole = pickled({"a": torch.ones(3), "b": {"c": torch.zeros(2, 2)}, "n": 3})
    old = pickled({"a": torch.ones(3)}, archived=False)
    tried = 0
    for content in (whole, old):
        for _ in range(100):
            damaged = bytearray(content)
            for _ in range(dice.randrange(1, 4)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            path.write_bytes(damaged[: dice.choice((dice.randrange(len(damaged)), None))])
            with path.open("rb") as source, contextlib.suppress(ForeignError):
                convert(source, target)
            target.unlink(missing_ok=True)
            tried += 1
    scorecard(row=22, tried=tried, lost=0)
