"""Weights of other programs: their pickled files, read without running anything of them.

To be called in a process with limits: what such a file claims is not believed, and what it takes
to read one is for the kernel to bound.
"""

import os
import pickle
import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

from backends.checkpoints import write_tensors
from backends.records import Imported, LeftOut

DEEPEST = 64
"""Containers within containers."""
LONGEST = 512
"""Characters of a tensor's name."""
MOST_NAMED = 1000
"""Things left out that are named one by one."""

_KEPT = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
        *(torch.int64, torch.int32, torch.int16, torch.int8),
        *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
        *(torch.float8_e4m3fn, torch.float8_e5m2),
    }
)
_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
_FAULTS = (
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(EOFError, OSError, AssertionError, pickle.UnpicklingError, struct.error),
)  # all that PyTorch was seen to raise for files that are none of its own

Keys = tuple[str, ...]


class ForeignError(ValueError):
    """A file whose weights cannot be had; the message goes on after the file's name."""


def convert(source: BinaryIO, target: Path, part: str = "") -> Imported:
    """Writes the tensors of a file that ``torch.save`` wrote into a new safetensors file.

    Args:
        part: dotted name of the container to take alone; empty takes all.

    Raises:
        ForeignError: it asks to run code, is damaged, or claims more than it holds.
        OSError: ``target`` cannot be written.
        MemoryError: the limits of this process do not allow it.
    """
    size = os.fstat(source.fileno()).st_size
    walk = _Walk(size)
    walk.into(_descended(_loaded(source), part), ())
    if not walk.tensors:
        raise ForeignError(_nothing(walk.left_out))
    if walk.bytes > 2 * size:
        raise ForeignError("claims more values than it can hold")
    dropped = _shared_path([*walk.tensors])
    named = {".".join(path[len(dropped) :]): value for path, value in walk.tensors.items()}
    named, wrapper = _unwrapped(named)
    _write(named, target)
    return Imported(
        tensors=len(named),
        parameters=sum(value.numel() for value in named.values()),
        bytes=target.stat().st_size,
        dtypes=dict(Counter(_name_of(value.dtype) for value in named.values())),
        parts=_parts(walk.tensors, len(dropped)),
        dropped=".".join((*dropped, *wrapper)),
        left_out=walk.left_out,
        left_out_count=walk.left_out_count,
    )


def _loaded(source: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # they advise whoever wrote the file
            return torch.load(source, map_location="cpu", weights_only=True)
    except _FAULTS as error:
        raise ForeignError(_reason(str(error))) from None


def _reason(said: str) -> str:
    """PyTorch's paragraphs on a file as one phrase."""
    wanted = re.search(r"GLOBAL (\S+) (?:was not an allowed|whose module)", said)
    if wanted:
        return f"asks for {wanted[1]}, which weights have no need of: it may run code"
    if "torchscript" in said.lower():
        return "is a TorchScript program and not weights alone"
    if re.search(r"allocate memory|not enough memory|bad_alloc", said):
        return "claims more values than it can hold"
    return "is no file of weights that PyTorch can read without running code"


def _nothing(left_out: list[LeftOut]) -> str:
    """Why a file has nothing to take."""
    named = ", ".join(f"{one.name} ({one.reason})" for one in left_out[:3])
    return f"holds no tensor that can be taken{': ' * bool(named)}{named}"


def _descended(value: Any, part: str) -> Any:
    for key in filter(None, part.split(".")):
        entries = cast("Mapping[Any, Any]", value) if isinstance(value, Mapping) else {}
        if key not in entries:
            known = ", ".join(str(name)[:40] for name in list(entries)[:8]) or "none"
            raise ForeignError(f"has no part {key}; there are: {known}")
        value = entries[key]
    return value


@dataclass
class _Walk:
    """Goes through what a file holds, each container once."""

    room: int
    tensors: dict[Keys, Tensor] = field(default_factory=dict[Keys, Tensor])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    left_out_count: int = 0
    bytes: int = 0
    _seen: set[int] = field(default_factory=set[int])
    _names: set[str] = field(default_factory=set[str])

    def into(self, value: Any, path: Keys) -> None:
        if isinstance(value, Tensor):
            self._take(value, path)
        elif isinstance(value, Mapping | list | tuple):
            self._open(cast("Mapping[Any, Any] | Sequence[Any]", value), path)
        else:
            self._leave(path, type(value).__name__)

    def _open(self, value: Mapping[Any, Any] | Sequence[Any], path: Keys) -> None:
        if id(value) in self._seen:
            self._leave(path, "the same again")
        elif len(path) > DEEPEST:
            self._leave(path, "too deep")
        else:
            self._seen.add(id(value))
            for key, item in _entries(value):
                self.into(item, (*path, key))

    def _take(self, value: Tensor, path: Keys) -> None:
        name = ".".join(path) or "tensor"
        problem = _problem(value, self.room) or _name_problem(name, self._names)
        if problem:
            self._leave(path, problem)
            return
        self._names.add(name)
        self.bytes += value.numel() * value.element_size()
        self.tensors[path or ("tensor",)] = value.detach()

    def _leave(self, path: Keys, reason: str) -> None:
        self.left_out_count += 1
        if len(self.left_out) < MOST_NAMED:
            self.left_out.append(LeftOut(name=".".join(path)[:LONGEST], reason=reason))


def _entries(value: Mapping[Any, Any] | Sequence[Any]) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return ((str(key), item) for key, item in pairs)


def _problem(value: Tensor, room: int) -> str:
    """Why a tensor cannot be kept; empty if it can."""
    if value.device.type == "meta":
        return "without values"
    if value.is_nested or value.layout != torch.strided:
        return "sparse"
    if value.dtype not in _KEPT:
        return f"of {_name_of(value.dtype)}"
    if value.numel() * value.element_size() > room:
        return "more values than the file can hold"
    return ""


def _name_problem(name: str, taken: set[str]) -> str:
    if len(name) > LONGEST:
        return "too long a name"
    if name in taken:
        return "a name that is taken"
    if name == "__metadata__" or any("\ud800" <= letter <= "\udfff" for letter in name):
        return "a name that cannot be kept"
    return ""


def _shared_path(paths: list[Keys]) -> Keys:
    """The containers that all tensors lie in."""
    first, last = min(paths), max(paths)  # whatever these two share, those between share, too
    most = min(map(len, paths)) - 1
    return first[: next((i for i in range(most) if first[i] != last[i]), most)]


def _unwrapped(named: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) and name != wrapper for name in named):
            plain = {name.removeprefix(wrapper): value for name, value in named.items()}
            return plain, (wrapper.rstrip("."),)
    return named, ()


def _parts(tensors: Mapping[Keys, Tensor], depth: int) -> dict[str, int]:
    """Tensors of each container, where there are several."""
    counts = Counter(path[depth] for path in tensors if len(path) > depth + 1)
    return dict(counts) if len(counts) > 1 or len(tensors) > counts.total() else {}


def _write(named: Mapping[str, Tensor], target: Path) -> None:
    """Each tensor with memory of its own, as the format wants it, and flushed to the disk."""
    kept: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, value in named.items():
        place = value.untyped_storage().data_ptr()
        kept[name] = value.clone().contiguous() if place in taken else value.contiguous()
        taken.add(place)
    write_tensors(target, kept)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
