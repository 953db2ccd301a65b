"""Checkpoints on disk: whole or absent, checked by hash, no pickle anywhere.

A checkpoint is a folder ``step-000500`` of ``tensors-*.safetensors``, ``state.json`` (everything
that is no tensor, as tagged JSON) and ``manifest.json`` (sizes and SHA-256 of the others). It is
written into a hidden folder, flushed, and renamed; so a name without a leading dot is a promise.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from backends.records import UNREADABLE

FORMAT = 1
REASON_LENGTH = 160  # of a sentence


def misfit(error: Exception) -> str:
    """Why a checkpoint does not fit a model, in one line: PyTorch says it from the second on."""
    lines = [line.strip() for line in str(error).splitlines()] or [""]
    return shorten(" ".join(lines[1:] or lines), REASON_LENGTH, placeholder=" …")


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or damaged; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a save left on disk."""

    path: Path
    step: int
    bytes: int


class Entry(msgspec.Struct, frozen=True):
    """What a manifest says of a file."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    format: int
    files: dict[str, Entry]


def folder_of(root: Path, step: int) -> Path:
    return root / f"step-{step:06d}"


def steps(root: Path) -> list[int]:
    """Steps that have a checkpoint, oldest first; whether they verify is not looked at."""
    names = [path.name.removeprefix("step-") for path in root.glob("step-*")]
    return sorted(int(name) for name in names if name.isdecimal())


# --------------------------------------------------------------------------- writing


def save(
    root: Path,
    step: int,
    state: Mapping[str, Any],
    *,
    barrier: Callable[[], None] = lambda: None,
    finish: Callable[[Path], None] = lambda folder: None,
) -> Written:
    """Writes ``state`` (nested dicts, lists, tuples, numbers, texts and CPU tensors) as a whole.

    Args:
        barrier: called when all is on disk and before it gets its name; the log of records is
            flushed there, so that no checkpoint is newer than the log.
        finish: called with the folder when all is in it and before it is flushed.

    Raises:
        OSError: nothing is left but the older checkpoints.
    """
    target, hidden = folder_of(root, step), root / f".tmp-{step:06d}-{os.getpid()}"
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir(mode=0o700)
        files = _write_parts(hidden, step, state)
        _write_synced(hidden / "manifest.json", msgspec.json.encode(Manifest(FORMAT, files)))
        finish(hidden)
        _sync_folder(hidden)
        barrier()
        _give_name(hidden, target)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return Written(target, step, sum(entry.bytes for entry in files.values()))


def prune(
    root: Path,
    keep: int,
    newest: int | None = None,
    spared: Callable[[int], bool] = lambda step: False,
) -> None:
    """Removes all but the newest ``keep`` checkpoints, and what an interrupted save left.

    Args:
        newest: the step just saved. Those beyond it were passed over as damaged: they stay where
            they are and do not count.
        spared: steps that are kept however old they are.
    """
    there = [step for step in steps(root) if newest is None or step <= newest]
    doomed = [step for step in there[: -max(1, keep)] if not spared(step)]
    for step in doomed:
        with contextlib.suppress(OSError):
            folder_of(root, step).rename(root / f".del-{step:06d}")
    if doomed:
        try:
            _sync_folder(root)
        except OSError:
            return  # a power cut could bring a name back: what it promises stays until next time
    sweep(root)


def sweep(root: Path) -> None:
    """Removes what is half-written or half-deleted, and puts back what was never replaced.

    Only while no save is under way.
    """
    for older in root.glob(".old-*"):
        _put_back(older, root / older.name.removeprefix(".old-"))
    for pattern in (".tmp-*", ".del-*", ".old-*"):
        for leftover in root.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _write_parts(folder: Path, step: int, state: Mapping[str, Any]) -> dict[str, Entry]:
    files: dict[str, Entry] = {}
    document: dict[str, Any] = {}
    for part, value in state.items():
        tensors: dict[str, Tensor] = {}
        document[part] = _flatten(value, tensors, "")
        if tensors:
            name = f"{part}.safetensors"
            write_tensors(folder / name, tensors)
            files[name] = _synced_entry(folder / name)
    _write_synced(folder / "state.json", _json({"step": step, "parts": document}))
    files["state.json"] = _synced_entry(folder / "state.json")
    return files


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file that is its owner's alone.

    Raises:
        OSError: the disk does not take it.
    """
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # its writer is not Python's: "... (os error 28)"
        found = re.search(r"(?:os error|code:) (\d+)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error
    path.chmod(0o600)


def _give_name(hidden: Path, target: Path) -> None:
    """The moment at which a checkpoint is there. One of the same step, written by an earlier
    attempt, makes room, and comes back if this fails."""
    older = target.with_name(f".old-{target.name}")
    try:
        if target.exists():
            shutil.rmtree(older, ignore_errors=True)
            target.rename(older)
        hidden.rename(target)
        _sync_folder(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            if not hidden.exists():
                target.rename(hidden)
            _put_back(older, target)
        raise
    shutil.rmtree(older, ignore_errors=True)


def _put_back(older: Path, target: Path) -> None:
    if older.exists() and not target.exists():
        older.rename(target)


def _synced_entry(path: Path) -> Entry:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return Entry(path.stat().st_size, _hash(path))


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


# --------------------------------------------------------------------------- reading


def verify(path: Path) -> set[str]:
    """Names of the files of a checkpoint, all of which are what was saved.

    Raises:
        CheckpointError: a file is missing, of another size or of another hash.
    """
    try:
        data = (path / "manifest.json").read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
    except (OSError, *UNREADABLE) as error:
        raise CheckpointError(f"{path} has no readable manifest ({error})") from None
    if manifest.format > FORMAT:
        sentence = f"{path} was written by a newer genai-tui (format {manifest.format})"
        raise CheckpointError(sentence)
    files = manifest.files
    if "state.json" not in files or any(Path(name).name != name for name in files):
        raise CheckpointError(f"{path} has a manifest of other files than its own")
    for name, entry in files.items():
        _verify_file(path / name, entry)
    return set(files)


def _verify_file(file: Path, entry: Entry) -> None:
    try:
        whole = file.stat().st_size == entry.bytes and _hash(file) == entry.sha256
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error})") from None
    if not whole:
        raise CheckpointError(f"{file} is damaged: its content is not what was saved")


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state that :func:`save` was given, after :func:`verify`.

    Raises:
        CheckpointError: for anything missing or damaged.
    """
    names = verify(path)
    try:
        parts = dict(json.loads((path / "state.json").read_bytes())["parts"])
        files = {part: f"{part}.safetensors" for part in parts}
        return {
            part: _load_part(path / files[part] if files[part] in names else None, value, device)
            for part, value in parts.items()
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read ({error})") from None


def load_newest(root: Path) -> tuple[int, dict[str, Any], list[str]] | None:
    """(step, state, complaints) of the newest checkpoint that verifies; None if there is none.

    ``complaints`` has one sentence for each newer one that was passed over.

    Raises:
        CheckpointError: there are checkpoints, and every one is damaged.
    """
    complaints: list[str] = []
    for step in reversed(steps(root)):
        try:
            return step, load(folder_of(root, step)), complaints
        except CheckpointError as error:
            complaints.append(str(error))
    if complaints:
        raise CheckpointError("no checkpoint can be used: " + "; ".join(complaints))
    return None


def _load_part(file: Path | None, value: Any, device: torch.device | str) -> Any:
    return _unflatten(value, load_file(file, device=str(device)) if file else {})


# --------------------------------------------------------------------------- tagged JSON


def _flatten(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """``value`` as JSON; its tensors go to ``tensors`` under their path."""
    if isinstance(value, Tensor):
        while name in tensors:  # {"a.b": ...} beside {"a": {"b": ...}}
            name += "'"
        tensors[name] = value.contiguous()
        return {"$tensor": name}
    if isinstance(value, Mapping):
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        done = {key: _flatten(item, tensors, _join(name, key)) for key, item in value.items()}
        return done if plain else {"$items": [list(item) for item in done.items()]}
    if isinstance(value, list | tuple):
        items = [_flatten(item, tensors, _join(name, index)) for index, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__} ({name})")


def _join(name: str, key: object) -> str:
    return f"{name}.{key}" if name else str(key)


def _unflatten(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unflatten(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$items" in value:
        return {key: _unflatten(item, tensors) for key, item in value["$items"]}
    if "$tuple" in value:
        return tuple(_unflatten(item, tensors) for item in value["$tuple"])
    if "$float" in value:
        return float(value["$float"])
    return {key: _unflatten(item, tensors) for key, item in value.items()}
