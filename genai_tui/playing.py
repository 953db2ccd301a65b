"""The warm sampler: a process that draws for one playground until nobody is there to ask.

See :mod:`genai_tui.playground` for what it is asked and what it tells. It stands back behind every
training, and it ends with its stdin, at once and whatever it is doing: so it outlives no studio,
however that has died.
"""

import contextlib
import os
import queue
import shutil
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from genai_tui import playground
from genai_tui.admission import admit, create_folder
from genai_tui.playground import (
    LINE_LIMIT,
    WATCH,
    Ask,
    Draw,
    Drawn,
    Open,
    Opened,
    Refused,
    Stop,
    Told,
    checked_ask,
    folder_of,
)
from genai_tui.run import Run, RunError

if TYPE_CHECKING:
    import torch

    from backends.model import Model
    from backends.precision import Numerics

NICE = 10
"""How far it stands back behind trainings."""
WARM = 2
"""Checkpoints whose models are kept in memory."""
COUNT = 16
"""Samples that a form proposes, if training draws no fewer: enough to choose from, soon there."""
STALE_SECONDS = 3600.0


def play(to: BinaryIO, path: Path) -> int:
    """Answers the asks on stdin until it is closed."""
    stand_back()
    pen = Pen(to)
    inbox = Inbox(sys.stdin.buffer, pen)
    sampler = Sampler(Run(path), pen, inbox)
    while True:
        sampler.answer(inbox.next())


def stand_back() -> None:
    """Gives way to trainings. Linux shares a processor among sessions before it looks at the
    processes in them, so that it takes both."""
    os.nice(NICE)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # there is no such file elsewhere
            Path("/proc/self/autogroup").write_text(str(NICE))


class Pen:
    """Tells, a line each. Where nobody listens any more there is nothing left to do."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self._lock = threading.Lock()

    def tell(self, told: Told) -> None:
        try:
            with self._lock:
                self._to.write(playground.encode(told) + b"\n")
                self._to.flush()
        except OSError:
            os._exit(0)


class Inbox:
    """The asks, read by a thread of its own, so that a stop reaches the drawing that it means."""

    def __init__(self, lines: BinaryIO, pen: Pen) -> None:
        self._lines, self._pen = lines, pen
        self._asks: queue.SimpleQueue[Open | Draw] = queue.SimpleQueue()
        self._stopped: set[str] = set()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> Open | Draw:
        """Waits for what is asked next."""
        return self._asks.get()

    def is_stopped(self, id: str) -> bool:
        return id in self._stopped

    def _read(self) -> None:
        while line := self._lines.readline(LINE_LIMIT + 1):
            whole = line
            while not whole.endswith(b"\n") and whole:  # the rest of a line that is too long
                whole = self._lines.readline(LINE_LIMIT)
            try:
                self._take(checked_ask(line))
            except ValueError as error:
                self._pen.tell(Refused(why=str(error)))
        os._exit(0)

    def _take(self, ask: Ask) -> None:
        if isinstance(ask, Stop):
            self._stopped.add(ask.id)
        else:
            self._asks.put(ask)


class Sampler:
    """Answers asks, one after the other, with the models that were wanted last at hand."""

    def __init__(self, run: Run, pen: Pen, inbox: Inbox) -> None:
        self._run, self._pen, self._inbox = run, pen, inbox
        self._warm: OrderedDict[int, tuple[Model, Numerics]] = OrderedDict()
        _sweep(run.path / playground.FOLDER)

    def answer(self, ask: Open | Draw) -> None:
        """Does what is asked, or tells in one sentence why not."""
        from backends.checkpoints import CheckpointError
        from genai_tui.watched import StoppedError

        id = ask.id if isinstance(ask, Draw) else ""
        try:
            if isinstance(ask, Open):
                self._open(ask)
            else:
                self._draw(ask)
        except StoppedError:
            self._pen.tell(Refused(id=id, why="stopped"))
        except (CheckpointError, RunError, ValueError) as error:
            self._pen.tell(Refused(id=id, why=str(error)))
        except OSError as error:
            why = f"the playground of run {self._run.label} cannot be written: {error.strerror}"
            self._pen.tell(Refused(id=id, why=why))
        except RuntimeError as error:  # of torch: no memory is left, for one
            self._pen.tell(Refused(id=id, why=str(error).splitlines()[0]))

    def _open(self, ask: Open) -> None:
        from backends.asking import knobs_of

        began = time.monotonic()
        model, _ = self._model(ask.step)
        drawn = int(self._run.spec().train_config.get("sample_count") or COUNT)
        usual = {"count": min(COUNT, drawn), **model.usual()}
        told = Opened(
            step=ask.step,
            modality=model.modality,
            knobs=knobs_of(model.asks, model.shape.classes, usual),
            device=str(model.device),
            seconds=time.monotonic() - began,
        )
        self._pen.tell(told)

    def _draw(self, ask: Draw) -> None:
        from backends import samples
        from backends.watching import watched_by
        from genai_tui.watched import StoppedError, Watched

        if self._inbox.is_stopped(ask.id):
            raise StoppedError
        folder = folder_of(self._run, ask.id)
        if folder.exists():
            raise RunError(f"there is a result {ask.id} already")
        model, numerics = self._model(ask.step)
        create_folder(folder.parent)
        began = time.monotonic()
        hidden = folder.with_name(f".drawing-{ask.id}")
        watch = Watched(ask, self._run.path, hidden, self._pen.tell, self._inbox.is_stopped)
        watch.vocabulary = model.shape.vocabulary
        try:
            with watched_by(watch):
                drawn = samples.draw(model, ask.request, numerics)
            watch.finish()
            seconds = time.monotonic() - began
            also = {"step": ask.step, "t": time.time(), "seconds": seconds}
            count = samples.write(folder, drawn, ask.request, also, finish=admit)
            if hidden.is_dir():
                admit(hidden)
                hidden.rename(folder / WATCH)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        self._pen.tell(Drawn(id=ask.id, count=count, seconds=seconds))
        _give_back(model.device)

    def _model(self, step: int) -> "tuple[Model, Numerics]":
        from backends import catalogue

        if step not in self._warm:
            ready = catalogue.ready(self._run.spec(), self._run.path / "checkpoints", step)
            self._warm[step] = ready
            while len(self._warm) > WARM:
                self._warm.popitem(last=False)
        self._warm.move_to_end(step)
        return self._warm[step]


def _give_back(device: "torch.device") -> None:
    """Leaves the memory of a GPU that a drawing has used to the training."""
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


def _sweep(folder: Path) -> None:
    """Removes what samplers left behind that did not come to an end."""
    for leftover in folder.glob(".*"):
        try:
            if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
        except OSError:
            continue  # somebody else swept it
