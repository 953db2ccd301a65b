"""Where a run's first weights come from: another run's checkpoint or a file, copied at its making.

The copy is the new run's own, so that the older one may prune its checkpoints or be deleted.
"""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backends.records import RunSpec
from genai_tui.admission import create
from genai_tui.errors import MISUSE
from genai_tui.regular import opened
from genai_tui.store import Run, RunError, Store

FORKED_STEPS = 200
"""Checkpoints that a fork may choose from."""
WEIGHTS = "initial.safetensors"
"""The file of a run's folder that holds them."""
SUFFIX = ".safetensors"
PICKLED = (".pt", ".pth", ".ckpt", ".bin")
"""Endings of files that are not read; ``genai-tui import`` makes others of them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Weights that a run begins with.

    Attributes:
        run: whose checkpoint at ``step`` they are; None where they are a file of its own.
    """

    weights: Path
    run: Run | None = None
    step: int = 0

    @property
    def label(self) -> str:
        return f"the weights of run {self.run.label}" if self.run else str(self.weights)


@dataclass(frozen=True, slots=True)
class Fork:
    """A run that another one shall grow from.

    Attributes:
        weights: the file of weights by the checkpoint's step, oldest first; not verified yet.
        chosen: the step that the user has in mind; None is the newest.
    """

    run: Run
    name: str
    spec: RunSpec
    weights: dict[int, Path]
    chosen: int | None = None


def fork(run: Run) -> Fork:
    """What there is to fork of a run; without any checkpoint its knobs alone.

    Raises:
        RunError: the run cannot be read.
    """
    weights: dict[int, Path] = {}
    for step in run.checkpoint_steps()[-FORKED_STEPS:]:
        folder = run.path / "checkpoints" / f"step-{step:06d}"
        name, _ = _named(folder)
        if name:
            weights[step] = folder / name
    return Fork(run, run.name, run.spec(), weights)


def origin(store: Store, reference: str) -> Origin:
    """The checkpoint that ``RUN`` (its newest) or ``RUN@STEP`` means; the averaged weights, if any.

    What ends in ``.safetensors`` is a file.

    Raises:
        RunError: there is no such file, run or checkpoint, or it is damaged.
    """
    if Path(reference).suffix in (SUFFIX, *PICKLED):
        return _of_file(Path(reference).expanduser())
    name, at, word = reference.rpartition("@")
    if not at or not word.replace(",", "").isdecimal():
        name, word = reference, ""
    run = store.run(name)
    steps = run.checkpoint_steps()
    if not steps:
        raise RunError(f"run {run.label} has no checkpoint to start from", status=MISUSE)
    step = int(word.replace(",", "")) if word else steps[-1]
    if step not in steps:
        known = ", ".join(f"{one:,}" for one in steps)
        sentence = f"run {run.label} has no checkpoint at step {step:,}; there are {known}"
        raise RunError(sentence, status=MISUSE)
    return Origin(_verified(run.path / "checkpoints" / f"step-{step:06d}"), run, step)


def _of_file(path: Path) -> Origin:
    if not path.is_file():
        raise RunError(f"{path} is no file of weights: there is none", status=MISUSE)
    if path.suffix != SUFFIX:
        sentence = f"{path} may hold code and is not read: genai-tui import makes a safe file of it"
        raise RunError(sentence, status=MISUSE)
    return Origin(path.resolve())


def keep(origin: Origin, run: Path) -> None:
    """Copies the weights into the folder of a new run, whole or not at all.

    Raises:
        RunError: they cannot be copied.
    """
    hidden = run / f".{WEIGHTS}"
    try:
        with opened(origin.weights) as source, _new(hidden) as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        hidden.rename(run / WEIGHTS)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise RunError(f"{origin.label} cannot be copied: {error.strerror}") from None


def _new(path: Path) -> BinaryIO:
    return os.fdopen(create(path, os.O_WRONLY | os.O_EXCL), "wb")


def _verified(folder: Path) -> Path:
    """The file of weights in a checkpoint whose manifest vouches for it."""
    name, promised = _named(folder)
    with contextlib.suppress(OSError):
        if name:
            with opened(folder / name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest == promised:
                return folder / name
    raise RunError(f"the checkpoint {folder} is damaged: choose another, as in RUN@STEP")


def _named(folder: Path) -> tuple[str, str]:
    """Name and SHA-256 of the weights, as the manifest has them; empty where it has none."""
    try:
        with opened(folder / "manifest.json") as file:
            files = json.load(file)["files"]
        name = "ema.safetensors" if "ema.safetensors" in files else "model.safetensors"
        return name, str(files[name]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
