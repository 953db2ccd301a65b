"""Finds the peers where the user has them. None of their code is in this repository."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


class MissingPeerError(Exception):
    """A peer that is not there; the message says in one sentence what was looked for."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Where peers are looked for: sub-folders of ``folder``, then installed packages."""

    folder: Path | None = None

    def package(self, name: str, repository: str = "") -> ModuleType:
        """The installed package ``name``, or that of a repository in the folder.

        Raises:
            MissingPeerError: it cannot be imported.
        """
        if self.folder is not None and repository and (self.folder / repository).is_dir():
            sys.path.insert(0, str(self.folder / repository))
        try:
            return importlib.import_module(name)
        except ImportError as error:
            where = f"nor is it in {self.folder}" if self.folder is not None else "no --peers given"
            missing = error.name or name
            raise MissingPeerError(f"{missing} is not installed, {where}") from error

    def file(self, *parts: str) -> Path:
        """A file of a repository in the folder.

        Raises:
            MissingPeerError: it is not there, or there is no folder.
        """
        if self.folder is None:
            raise MissingPeerError(f"{parts[0]} is looked for in the folder of --peers")
        path = self.folder.joinpath(*parts)
        if not path.is_file():
            raise MissingPeerError(f"there is no {path}")
        return path

    def module(self, *parts: str) -> ModuleType:
        """A file of a repository in the folder, imported."""
        path = self.file(*parts)
        spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    def script(self, *parts: str) -> "Script":
        """A file of a repository in the folder that trains as it is run; nothing has run yet."""
        path = self.file(*parts)
        return Script(ast.parse(path.read_text(), str(path)), str(path))


@dataclass(frozen=True, slots=True)
class Script:
    """A training script in two halves: what it defines, and its loop."""

    tree: ast.Module
    path: str

    def define(self, names: Mapping[str, Any], without: frozenset[str]) -> dict[str, Any]:
        """Runs all but the loop; what the script has defined then.

        Args:
            names: defined beforehand.
            without: statements that mention one of these names are left out.
        """
        namespace = dict(names)
        kept = [
            statement
            for statement in self.tree.body
            if not isinstance(statement, ast.For) and not _mentions(statement) & without
        ]
        self._run(kept, namespace)
        return namespace

    def loop(self, namespace: dict[str, Any]) -> None:
        """Runs the loop on what the names stand for in ``namespace``."""
        self._run([node for node in self.tree.body if isinstance(node, ast.For)], namespace)

    def _run(self, statements: list[ast.stmt], namespace: dict[str, Any]) -> None:
        code = compile(ast.Module(statements, type_ignores=[]), self.path, "exec")
        exec(code, namespace)


def _mentions(statement: ast.stmt) -> set[str]:
    """Names, attributes and imported modules in a statement."""
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
    return found
