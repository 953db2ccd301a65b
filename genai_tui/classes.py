"""The names of the classes that a run was trained on, as its checkpoints keep them."""

import json
from pathlib import Path
from typing import Any, cast

from genai_tui.errors import UserError
from genai_tui.regular import opened
from genai_tui.run import Run

MOST_BYTES = 1 << 26


def classes_of(run: Run, step: int) -> list[str]:
    """Names of the classes that a checkpoint was trained on.

    Raises:
        UserError: the checkpoint does not say.
    """
    path = run.path / "checkpoints" / f"step-{step:06d}" / "state.json"
    try:
        found = json.loads(_content(path))["parts"]["meta"]["shape"]["classes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} does not tell the classes ({error})") from None
    named = cast("list[Any]", found) if isinstance(found, list) else []
    return [str(name) for name in named]


def known_classes(run: Run) -> list[str]:
    """The same of the newest checkpoint; none where there is none to tell."""
    steps = run.checkpoint_steps()
    try:
        return classes_of(run, steps[-1]) if steps else []
    except UserError:
        return []


def _content(path: Path) -> bytes:
    if not path.is_file():  # a pipe would never end
        raise FileNotFoundError(f"there is no file {path.name}")
    with opened(path) as file:
        return file.read(MOST_BYTES)
