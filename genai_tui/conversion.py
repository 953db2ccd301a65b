"""Asks a worker with limits to make a safetensors file of somebody else's weights."""

import contextlib
import os
import subprocess
from pathlib import Path

import msgspec

from backends.records import Imported
from genai_tui.errors import MISUSE, UserError
from genai_tui.import_folder import hidden_folder
from genai_tui.launch import last_sentence, worker_command

SUFFIX = ".safetensors"


def target_of(source: Path, to: Path | None) -> Path:
    """Where the weights of ``source`` go: beside it, into a folder, or where they are sent.

    Raises:
        UserError: that is no place for a new safetensors file.
    """
    target = source.with_suffix(SUFFIX) if to is None else to
    if target.is_dir():
        target = target / source.with_suffix(SUFFIX).name
    if target.suffix != SUFFIX:
        raise UserError(f"{target} does not end in {SUFFIX}: give it such a name", status=MISUSE)
    if os.path.lexists(target):
        raise UserError(f"{target} is there already: choose another with --to", status=MISUSE)
    return target


def convert(source: Path, target: Path, part: str = "") -> Imported:
    """Makes the new file ``target``, whole or not at all, of the tensors of ``source``.

    Args:
        part: dotted name of the container of tensors to take alone; empty takes all.

    Raises:
        UserError: it cannot be read as weights, or the target cannot be written.
    """
    _check(source)
    try:
        with hidden_folder(target.parent) as folder:
            hidden = folder / target.name
            told = _told(source, hidden, part)
            _give_name(hidden, target)
    except FileExistsError:
        raise UserError(f"{target} has come to be meanwhile: it is left as it is") from None
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from None
    return told


def _check(source: Path) -> None:
    """What can be said without reading the file."""
    if not source.exists():
        raise UserError(f"{source} does not exist", status=MISUSE)
    if not source.is_file():
        raise UserError(f"{source} is no regular file", status=MISUSE)
    if source.suffix == SUFFIX:
        sentence = f"{source} can be used as it is, as in train MODEL --from {source}"
        raise UserError(sentence, status=MISUSE)


def _told(source: Path, hidden: Path, part: str) -> Imported:
    words = ["import", str(source.resolve()), "--out", str(hidden.absolute())]
    done = subprocess.run(
        worker_command([*words, "--parent", str(os.getpid()), f"--part={part}"]),
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode < 0:
        raise UserError(f"{source} took more time or memory than a file of its size may")
    if done.returncode:
        raise UserError(last_sentence(done.stderr, done.returncode))
    return msgspec.json.decode(done.stdout, type=Imported)


def _give_name(hidden: Path, target: Path) -> None:
    """Moves a file to a name that nobody has; never over another."""
    try:
        os.link(hidden, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        hidden.rename(target)
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
