"""Power cuts: what a file system may hold after one, from what was written and flushed before.

A recorder follows what a process does to a folder: names that appear, go and change, bytes that are
written, flushes of files and of folders. A flush is all that is sure: of what was not flushed, any
part may be on disk in any order. ``states`` builds folders like that, at random moments.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Written:
    """A file has this content now."""

    file: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Named:
    """A folder has this name for that file or folder now; ``None`` if it has it no more."""

    folder: int
    name: str
    inode: int | None
    before: str = ""
    """The name that it had until now, of which it takes the place in one go."""


@dataclass(frozen=True, slots=True)
class Flushed:
    inode: int


Operation = Written | Named | Flushed


@dataclass(slots=True)
class Recorder:
    """Follows what is done below ``root``."""

    root: Path
    operations: list[Operation] = field(default_factory=list)
    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})
    files: dict[int, bytes] = field(default_factory=dict)
    _ids: dict[int, int] = field(default_factory=dict)
    _next: int = 1

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Listens to the calls that matter; everything else is seen by looking."""
        self._ids[os.stat(self.root).st_ino] = 0
        real = {name: getattr(os, name) for name in _CALLS}
        for name, hear in _CALLS.items():
            setattr(os, name, self._heard(real[name], hear))
        try:
            yield
            self.look()
        finally:
            for name, call in real.items():
                setattr(os, name, call)

    def look(self) -> None:
        """Records what has changed since the last look."""
        self._look(self.root, 0)

    def _look(self, path: Path, folder: int) -> None:
        known, there = self.folders[folder], {e.name: e for e in os.scandir(path)}
        for name in [name for name in known if name not in there]:
            self._forget(known[name])
            self.operations.append(Named(folder, name, None))
            del known[name]
        for name, entry in sorted(there.items()):
            inode = self._identify(entry.stat().st_ino)
            if known.get(name) != inode:
                known[name] = inode
                self.operations.append(Named(folder, name, inode))
            if entry.is_dir():
                self.folders.setdefault(inode, {})
                self._look(path / name, inode)
            else:
                self._read(path / name, inode)

    def _read(self, path: Path, file: int) -> None:
        content = path.read_bytes()
        if content != self.files.get(file, b""):
            self.operations.append(Written(file, content))
        self.files[file] = content

    def _identify(self, inode: int) -> int:
        """A number for it that is never used again, as a file system's own may be."""
        if inode not in self._ids:
            self._ids[inode] = self._next
            self._next += 1
        return self._ids[inode]

    def _forget(self, identity: int) -> None:
        for inode in self.folders.pop(identity, {}).values():
            self._forget(inode)
        self._ids = {inode: known for inode, known in self._ids.items() if known != identity}

    def _heard(self, real: Callable[..., Any], hear: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.look()
            if hear == "flush":
                done = real(*arguments, **options)
                inode = os.fstat(arguments[0]).st_ino
                if inode in self._ids:
                    self.operations.append(Flushed(self._ids[inode]))
                return done
            done = real(*arguments, **options)
            if hear == "rename":
                self._renamed(Path(arguments[0]), Path(arguments[1]))
            self.look()
            return done

        return call

    def _renamed(self, source: Path, target: Path) -> None:
        """Within one folder, as all renames here are."""
        folder = self._ids[os.stat(source.parent).st_ino]
        names = self.folders[folder]
        inode = names.pop(source.name)
        names[target.name] = inode
        self.operations.append(Named(folder, target.name, inode, source.name))


_CALLS = {
    **dict.fromkeys(("fsync", "fdatasync"), "flush"),
    **dict.fromkeys(("rename", "replace"), "rename"),
    **dict.fromkeys(("mkdir", "unlink", "rmdir"), "change"),
}


class Cut:
    """What may be on disk after a power cut when ``moment`` operations had been done."""

    def __init__(self, operations: list[Operation], moment: int, chance: random.Random) -> None:
        self._done, self._chance = operations[:moment], chance
        self._flushes: dict[int, int] = {}
        for index, operation in enumerate(self._done):
            if isinstance(operation, Flushed):
                self._flushes[operation.inode] = index
        self._folders: dict[int, dict[str, int]] = {0: {}}
        self._files: dict[int, bytes] = {}
        for index, operation in enumerate(self._done):
            if isinstance(operation, Named):
                self._name(index, operation)
            elif isinstance(operation, Written):
                self._write(index, operation)

    def _name(self, index: int, named: Named) -> None:
        sure = self._flushes.get(named.folder, -1) > index
        if not sure and self._chance.random() < 0.5:
            return
        names = self._folders.setdefault(named.folder, {})
        if named.before and names.get(named.before) == named.inode:
            del names[named.before]
        if named.inode is None:
            names.pop(named.name, None)
        else:
            names[named.name] = named.inode

    def _write(self, index: int, written: Written) -> None:
        before, content = self._files.get(written.file, b""), written.content
        if self._flushes.get(written.file, -1) < index:
            same = _common(before, content)
            cut = self._chance.randint(same, len(content))
            content = self._chance.choice(
                (before, content[:cut], content[:cut] + bytes(len(content) - cut), content)
            )
        self._files[written.file] = content

    def build(self, root: Path) -> None:
        """Makes it a folder."""
        self._build(root, 0)

    def _build(self, path: Path, folder: int) -> None:
        path.mkdir()
        for name, inode in self._folders.get(folder, {}).items():
            if inode in self._files or not self._is_folder(inode):
                (path / name).write_bytes(self._files.get(inode, b""))
            else:
                self._build(path / name, inode)

    def _is_folder(self, inode: int) -> bool:
        return any(isinstance(o, Named) and o.folder == inode for o in self._done)


def _common(one: bytes, two: bytes) -> int:
    """How many bytes both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b),
        min(len(one), len(two)),
    )
