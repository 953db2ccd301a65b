"""Who imports whom, proved in a fresh interpreter: the screens start without PyTorch."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import backends
import genai_tui

HEAVY = {"torch", "torchvision", "safetensors"}
SCREENS = {"genai_tui", "textual", "rich", "typer"}


def imported_by(*modules: str) -> set[str]:
    """Names of all modules that a fresh interpreter has after importing ``modules``."""
    code = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def there(*modules: str) -> list[str]:
    return [module for module in modules if importlib.util.find_spec(module)]


@pytest.mark.parametrize(
    "module",
    there(
        *("genai_tui.cli", "genai_tui.app", "genai_tui.store", "genai_tui.history"),
        *("genai_tui.launch", "genai_tui.feed", "genai_tui.keeper", "genai_tui.worker"),
        *("genai_tui.attempt", "genai_tui.reporter", "genai_tui.telemetry.__main__"),
    ),
)
def test_nothing_but_an_attempt_imports_torch(module: str) -> None:
    assert not imported_by(module) & HEAVY


def test_a_decoder_needs_no_torch() -> None:
    rooms = ("_decoder", "_pictures", "_sound_files")
    assert not imported_by(*(f"backends.datasets.{room}" for room in rooms)) & HEAVY


def test_all_of_the_screens_side_together_imports_no_torch() -> None:
    root = Path(genai_tui.__path__[0])
    names = [
        ".".join(("genai_tui", *file.relative_to(root).with_suffix("").parts))
        for file in sorted(root.rglob("*.py"))
        if file.stem not in ("__init__", "__main__")
    ]
    assert not imported_by(*names) & HEAVY


@pytest.mark.parametrize("module", there("genai_tui.cli", "genai_tui.store", "genai_tui.launch"))
def test_the_command_line_imports_nothing_heavy(module: str) -> None:
    assert not imported_by(module) & {"numpy", "textual", "PIL"}


def test_a_keeper_needs_the_standard_library_alone() -> None:
    ours = {name for name in imported_by("genai_tui.keeper") if name.split(".")[0] == "genai_tui"}
    others = {name.split(".")[0] for name in imported_by("genai_tui.keeper")}
    rooms = (
        *(
            "admission",
            "atomic",
            "ending",
            "farewell",
            "hanging",
            "keeper",
            "liveness",
            "memory_kills",
            "parent",
            "pulse",
        ),
        *("regular", "reserve", "slots", "supervisor", "turns", "waiting_room"),
    )
    assert ours == {"genai_tui", *(f"genai_tui.{room}" for room in rooms)}
    assert not others & {"msgspec", "numpy", "psutil", "platformdirs", "backends"}


def test_the_border_needs_msgspec_alone() -> None:
    found = {name.split(".")[0] for name in imported_by("backends.records")}
    known = set(sys.stdlib_module_names) | {"msgspec", "backends", "__main__", "_virtualenv"}
    bare = {name.split(".")[0] for name in imported_by("sys")}
    assert found - known - bare <= {"typing_extensions"}


def test_listing_the_models_imports_none() -> None:
    code = (
        "import sys; from backends import catalogue; catalogue.models();"
        "print(*[name for name in sys.modules if name.startswith('backends.')])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    families = ("backends.gan.", "backends.vae.", "backends.autoregressive.", "backends.diffusion.")
    assert done.returncode == 0, done.stderr
    assert not [name for name in done.stdout.split() if name.startswith(families)]


def sources(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def names_imported(file: Path) -> set[str]:
    """Every module that the file's text imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", sources(Path(backends.__path__[0])), ids=lambda file: file.stem)
def test_the_models_know_no_screen(file: Path) -> None:
    assert not {name.split(".")[0] for name in names_imported(file)} & SCREENS


BORDER = {"backends", "backends.records", "backends.knob"}
"""What the screen may see of the models' side: data that cross over, and no PyTorch."""
DOORS = {"attempt.py", "answers.py", "converting.py", "evaluating.py", "playing.py", "watched.py"}


@pytest.mark.parametrize("file", sources(Path(genai_tui.__path__[0])), ids=lambda file: file.stem)
def test_only_the_worker_goes_beyond_the_border(file: Path) -> None:
    if file.name in DOORS:
        return
    of_backends = {name for name in names_imported(file) if name.split(".")[0] == "backends"}
    assert of_backends <= BORDER
    assert not {name.split(".")[0] for name in names_imported(file)} & HEAVY
