"""The checkpoints that a run has on disk: how large, since when, why they are kept, and whether
they are whole. Standard library only: looking at them needs no PyTorch."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.records import Config
from genai_tui.playground import best_step, losses
from genai_tui.run import Run

MANIFEST_BYTES = 1 << 20
MOST = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint; ``t`` is when it was written, in seconds since the epoch; None if unknown."""

    step: int
    path: Path
    bytes: int
    t: float | None
    why: str


def listing(run: Run) -> list[Kept]:
    """The newest ones, newest first.

    Raises:
        RunError: the run cannot be read.
    """
    steps = run.checkpoint_steps()[-MOST:]
    config, done = run.spec().train_config, run.status().checkpoint
    reasons = dict.fromkeys(steps, "passed over by a later attempt")
    reasons |= _reasons([step for step in steps if done is None or step <= done], config)
    best = best_step(steps, losses(run))
    if best is not None:
        reasons[best] += " · lowest validation loss"
    root = run.path / "checkpoints"
    return [_kept(root / f"step-{step:06d}", step, reasons[step]) for step in reversed(steps)]


def verdict(path: Path) -> str:
    """Why the checkpoint in a folder cannot be used; empty if all its files are what was saved."""
    try:
        with (path / "manifest.json").open("rb") as file:
            files = json.loads(file.read(MANIFEST_BYTES))["files"]
        if "state.json" not in files:
            return "its manifest misses the state"
        for name, entry in files.items():
            if Path(name).name != name:
                return "its manifest names other files than its own"
            with (path / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                    return f"{name} is not what was saved"
    except OSError as error:
        return f"{Path(error.filename or path).name}: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "its manifest cannot be read"
    return ""


def _reasons(steps: Sequence[int], config: Config) -> dict[int, str]:
    """Why each is still there: the loop keeps the newest, milestones, and the best by a score."""
    keep, every = _whole(config, "keep_checkpoints") or 1, _whole(config, "milestone_every")
    score = str(config.get("keep_best") or "")
    found: dict[int, str] = {}
    for place, step in enumerate(reversed(steps)):
        if place < keep:
            found[step] = f"one of the newest {keep}" if place else "the newest"
        elif every and step % every == 0:
            found[step] = "a milestone"
        else:
            found[step] = f"the best {score.removeprefix('+')}" if score else "not pruned yet"
    return found


def _whole(config: Config, name: str) -> int:
    """A knob that is a whole number from 0 on; 0 where the run says nothing of the kind."""
    value = config.get(name)
    return max(0, value) if isinstance(value, int) else 0


def _kept(path: Path, step: int, why: str) -> Kept:
    try:
        sizes = [file.stat().st_size for file in path.iterdir()]
        return Kept(step, path, sum(sizes), path.stat().st_mtime, why)
    except OSError:  # it is pruned meanwhile
        return Kept(step, path, 0, None, why)
