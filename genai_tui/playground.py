"""The playground's contract: what is asked of a warm sampler, what it tells, and what is kept.

Asked is a line of JSON each on its stdin, told a line of JSON each on its stdout; what it draws
are files in the run's folder, ``playground/<id>/``: those that ``sample`` writes and, for what was
watched, a folder ``watch`` in it. No other word passes between the studio and the sampler.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from backends.knob import Knob
from backends.records import UNREADABLE, Modality, SampleRequest, Step
from genai_tui import sample_files
from genai_tui.regular import opened
from genai_tui.run import Run, RunError

FOLDER, WATCH = "playground", "watch"
LINE_LIMIT = 1 << 16
"""Bytes of the longest line that a sampler takes."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_DOCUMENT_LIMIT = 1 << 20
LOSS = "validation/loss"
MOST_KEPT = 1000
"""Results that are listed; older ones stay on disk."""

# --------------------------------------------------------------------------- what is asked


class Open(Struct, tag="open", tag_field="verb", frozen=True, kw_only=True):
    """Make ready to draw from a checkpoint."""

    step: int


class Draw(Struct, tag="draw", tag_field="verb", frozen=True, kw_only=True):
    """Draw from a checkpoint into ``playground/<id>``; ``watch`` keeps how it came about."""

    id: str
    step: int
    request: SampleRequest
    watch: bool = True


class Stop(Struct, tag="stop", tag_field="verb", frozen=True, kw_only=True):
    """Give up a drawing that is asked for or under way."""

    id: str


Ask = Open | Draw | Stop

# --------------------------------------------------------------------------- what is told


class Opened(Struct, tag="opened", tag_field="kind", frozen=True, kw_only=True):
    """A checkpoint is ready. ``knobs`` are all that its model can be asked for."""

    step: int
    modality: Modality
    knobs: list[Knob]
    device: str = ""
    seconds: float = 0.0


class Advanced(Struct, tag="advanced", tag_field="kind", frozen=True, kw_only=True):
    """``share`` of a drawing is done; ``frame`` is its newest picture, a path in the run."""

    id: str
    share: float
    frame: str = ""


class Piece(Struct, frozen=True, kw_only=True):
    """The text of a sample from character ``at`` on, as far as it is written."""

    index: int
    at: int
    text: str


class Wrote(Struct, tag="wrote", tag_field="kind", frozen=True, kw_only=True):
    """Texts have grown."""

    id: str
    pieces: list[Piece]


class Drawn(Struct, tag="drawn", tag_field="kind", frozen=True, kw_only=True):
    """The samples are whole in ``playground/<id>``."""

    id: str
    count: int
    seconds: float


class Refused(Struct, tag="refused", tag_field="kind", frozen=True, kw_only=True):
    """Nothing was drawn, for a reason of one sentence; ``id`` is empty if no drawing was meant."""

    why: str
    id: str = ""


Told = Opened | Advanced | Wrote | Drawn | Refused

encode = msgspec.json.Encoder().encode
decode_ask = msgspec.json.Decoder(Ask).decode
decode_told = msgspec.json.Decoder(Told).decode


def checked_ask(line: bytes) -> Ask:
    """What a line asks for.

    Raises:
        ValueError: one sentence that says why it asks for nothing.
    """
    if len(line) > LINE_LIMIT:
        raise ValueError(f"a line has at most {LINE_LIMIT:,} bytes")
    try:
        ask = decode_ask(line)
    except UNREADABLE as error:
        raise ValueError(f"this line asks for nothing: {error}") from None
    if not isinstance(ask, Open) and not _ID.fullmatch(ask.id):
        raise ValueError("an id is 1 to 60 of a-z, 0-9 and -, and does not begin with -")
    return ask


def new_id() -> str:
    """The id of a drawing; later ones sort later."""
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    return f"{stamp}-{int(now % 1 * 1000):03d}{os.urandom(1).hex()}"


# --------------------------------------------------------------------------- what is kept


class Kept(Struct, frozen=True, kw_only=True):
    """``request.json`` of a result: its request, and what was drawn for it."""

    step: int
    t: float
    request: SampleRequest
    seconds: float = 0.0
    labels: list[int] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


class Result(Struct, frozen=True, kw_only=True):
    """A result on disk; ``path`` is relative to the run's folder."""

    id: str
    path: str
    kept: Kept

    @property
    def drawn(self) -> sample_files.Drawn:
        """Its samples, beside those of the run's steps."""
        return sample_files.Drawn(self.kept.step, self.path, asked=True, t=self.kept.t)


def folder_of(run: Run, id: str) -> Path:
    """Where a result is, or will be.

    Raises:
        RunError: the run's playground is somewhere else than in the run.
    """
    if not _ID.fullmatch(id):
        raise RunError(f"{id!r} is no result of a playground")
    folder = run.path / FOLDER
    if not folder.resolve().is_relative_to(run.path.resolve()):
        raise RunError(f"{folder} leads out of the run: remove it")
    return folder / id


def is_result(relative: str) -> bool:
    """Whether a folder of a run is one of its playground's results."""
    return relative.startswith(f"{FOLDER}/")


def results(run: Run) -> list[Result]:
    """What was drawn and kept, the newest first; what cannot be read is left out."""
    try:
        root = folder_of(run, "any").parent
        names = sorted(path.name for path in root.iterdir() if _ID.fullmatch(path.name))
    except (OSError, RunError):
        return []
    found = (result(run, name) for name in reversed(names[-MOST_KEPT:]))
    return [one for one in found if one is not None]


def result(run: Run, id: str) -> Result | None:
    """One result; None if there is none that can be read."""
    try:
        with opened(folder_of(run, id) / "request.json") as file:
            document = file.read(_DOCUMENT_LIMIT)
        kept = msgspec.json.decode(document, type=Kept)
    except (OSError, RunError, *UNREADABLE):
        return None
    return Result(id=id, path=f"{FOLDER}/{id}", kept=kept)


def delete(run: Run, id: str) -> None:
    """Removes a result.

    Raises:
        RunError: it cannot be removed.
    """
    folder = folder_of(run, id)
    hidden = folder.with_name(f".del-{id}")
    try:
        folder.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise RunError(f"{folder} cannot be removed: {error.strerror}") from None


# --------------------------------------------------------------------------- what was watched


class Choice(Struct, frozen=True, kw_only=True):
    """A token and the model's own probability of it, before temperature, top-k and top-p."""

    text: str
    p: float


class Token(Struct, frozen=True, kw_only=True):
    """A token that was written, and what else might have been, the likeliest first."""

    text: str
    p: float
    top: list[Choice]


class Tokens(Struct, frozen=True, kw_only=True):
    """How one text was written: what it began with, then token by token."""

    prompt: str
    tokens: list[Token]


def frames(run: Run, id: str, what: str) -> list[Path]:
    """The pictures of a drawing on its way, the first first.

    Args:
        id: the result's.
        what: "meant", as the model took them to become, or "seen", as the network saw them.
    """
    with contextlib.suppress(OSError, RunError):
        watch = folder_of(run, id) / WATCH
        return sorted(path for path in watch.iterdir() if path.match(f"{what}-*.png"))
    return []


def tokens(run: Run, result: Result, index: int) -> Tokens | None:
    """How a text was written; None where nobody watched."""
    try:
        with opened(folder_of(run, result.id) / WATCH / f"{index:03d}.json") as file:
            document = file.read(_DOCUMENT_LIMIT)
        return msgspec.json.decode(document, type=Tokens)
    except (OSError, *UNREADABLE):
        return None


def losses(run: Run) -> list[tuple[int, float]]:
    """(step, validation loss) of a run so far, in the order of its log."""
    found: list[tuple[int, float]] = []
    offset, more = 0, True
    while more:
        chunk = run.read(offset)
        offset, more = chunk.offset, chunk.more
        for record in chunk.records:
            if isinstance(record, Step) and LOSS in record.values:
                found.append((record.step, float(record.values[LOSS])))
    return found


def best_step(steps: Sequence[int], losses: Sequence[tuple[int, float]]) -> int | None:
    """The checkpoint with the least validation loss at it or, failing that, last before it.

    Args:
        steps: of the checkpoints.
        losses: (step, loss) in the order of their steps; a loss that is no number counts for none.
    """
    known: dict[int, float] = {}
    for step in steps:
        before = [loss for at, loss in losses if at <= step and loss == loss]
        if before:
            known[step] = before[-1]
    return min(known, key=lambda step: known[step]) if known else None
