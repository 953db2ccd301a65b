"""Supervises one run's worker: starts it, waits, restarts it after a crash, says how it ended.

Standard library only. What runs it, and holds the locks, is the keeper.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from genai_tui import farewell, liveness, pulse, reserve
from genai_tui.atomic import write_atomic
from genai_tui.ending import FINAL, Ending
from genai_tui.hanging import HangWatch
from genai_tui.memory_kills import MemoryKills
from genai_tui.parent import STOPS, end_children
from genai_tui.regular import opened
from genai_tui.turns import Turns
from genai_tui.waiting_room import WaitingRoom

RESTARTS = 3
"""Crashes in a row without a new checkpoint before the keeper gives up."""

STACKS_SECONDS = 2.0
"""How long a worker that hangs may take to print its stacks."""
LEAVE_SECONDS = 30.0
"""How long it may take after that to save and leave, as one can that was only stopped."""

_PLAIN: Mapping[str, str] = {}


class Keeper:
    """One run's keeper, with its lock held."""

    def __init__(self, run: Path, steps: int) -> None:
        self.run, self.steps = run, steps
        self.worker: subprocess.Popen[bytes] | None = None
        self.poller: subprocess.Popen[bytes] | None = None
        self.polls = 0
        self.stopping = False
        self.status = read(run / "status.json")
        self.attempt = int(self.status.get("attempt") or 0)
        self.restarts = 0
        self.visible = ""
        self.pulse = pulse.Pulse()
        self.watch = HangWatch(self.pulse, run, 60 * _hang_minutes(run))
        self.kills = MemoryKills()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def wait_for_turn(self, turns: Turns) -> bool:
        """Waits until a device is free for this run; False if it was stopped before."""
        slot = WaitingRoom(self.run, turns, self.say_place).wait(lambda: self.stopping)
        if slot is None:
            ended = {"state": "stopped", "phase": "", "exit_code": 75, "waits": ""}
            self._write(**ended, reason="stopped while it was queued")
            return False
        self.visible = slot.visible
        return True

    def say_place(self, phrase: str) -> None:
        """Says for what the run waits."""
        self._write(state="starting", phase="queued", waits=phrase, of=self.steps, reason="")

    def listen(self) -> None:
        """From here on a SIGTERM is a stop."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGCHLD, _wake)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def begin(self) -> None:
        """Says that the run starts, and starts it."""
        fresh = {"reason": "", "exit_code": None, "signal": None, "restarts": 0, "waits": ""}
        self._write(state="starting", phase="starting", of=self.steps, **fresh)
        self._start_worker()

    def keep(self) -> int:
        """Runs the worker until it ends for good; its exit status."""
        self._start_poller()
        try:
            return self._attempts()
        finally:
            self._end_poller()

    def _start_worker(self) -> None:
        """Starts one attempt; its output goes to a file, never to a pipe that could break."""
        self.attempt += 1
        with _withheld():
            self.worker = self._spawn(
                "genai_tui.worker",
                ["train", str(self.run), f"--steps={self.steps}", f"--attempt={self.attempt}"],
                {pulse.VARIABLE: str(self.pulse.descriptor)}
                | ({"CUDA_VISIBLE_DEVICES": self.visible} if self.visible else {}),
                keeps=(self.pulse.descriptor,),
            )
        self.watch.begin(self.worker.pid)
        self.kills = MemoryKills()
        if self.stopping:  # the signal came while there was nobody to pass it on to
            self._tell_worker()

    def _attempts(self) -> int:
        fruitless, known = 0, _checkpoints(self.run)
        while True:
            ending = self._wait()
            if ending.is_final:
                self._write(**_final(FINAL[ending.code], ending))
                return ending.code
            if self.stopping:
                return self._stopped(ending)
            there = _checkpoints(self.run)
            known, fruitless = there, (0 if there - known else fruitless) + 1
            if fruitless > RESTARTS:
                reason = f"{ending.phrase}, {fruitless} times without a new checkpoint"
                self._write(**_final("failed", ending), reason=self._with_last_line(reason))
                return 1
            self._back_off(ending, 0.25 * 4 ** (fruitless - 1))
            if self.stopping:
                return self._stopped(ending)
            self._start_worker()

    def _stopped(self, ending: Ending) -> int:
        reason = f"stopped before it could answer; its last attempt ended: {ending.phrase}"
        self._write(**{**_final("stopped", ending), "exit_code": 75}, reason=reason)
        with contextlib.suppress(OSError):  # the status says so as well
            farewell.say_stopped(
                self.run / "records.jsonl", int(self.status.get("step") or 0), 75, reason
            )
        return 75

    def _back_off(self, ending: Ending, delay: float) -> None:
        """Says that the run will be restarted, and waits; a stop cuts the waiting short."""
        self.restarts += 1
        self._write(
            state="starting",
            phase=f"restarting ({ending.phrase})",
            worker=None,
            restarts=self.restarts,
            signal=ending.signal or None,
        )
        _tell(f"the worker ended ({ending.phrase}); restarting in {delay:g} s")
        until = time.monotonic() + delay
        while time.monotonic() < until and not self.stopping:
            time.sleep(0.05)

    def _wait(self) -> Ending:
        """Waits for the worker, and ends it where it hangs."""
        while True:
            ending = self._reap(self.watch.interval)
            if ending is not None:
                return ending
            phrase = self.watch.look()
            if phrase:
                return self._end_hung(phrase)

    def _end_hung(self, phrase: str) -> Ending:
        """Has the worker print its stacks, and ends it: gently, as it may only have been stopped,
        then for good."""
        assert self.worker is not None
        worker = liveness.identity(self.worker.pid)
        _tell(f"{phrase}, where {self.watch.limit:,.0f} s are too many; its stacks:")
        for number, seconds in (
            (signal.SIGUSR1, 0.0),
            (signal.SIGCONT, STACKS_SECONDS),
            (signal.SIGTERM, min(LEAVE_SECONDS, self.watch.limit)),
        ):
            liveness.send(worker, number)
            ending = self._reap(seconds)
            if ending is not None:
                return replace(ending, hung=phrase)
        liveness.send(worker, signal.SIGKILL)
        ending = self._reap(None)
        assert ending is not None
        return replace(ending, hung=phrase)

    def _reap(self, seconds: float | None) -> Ending | None:
        """How the worker ended, if it does within ``seconds`` (None: however long it takes)."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            ending = self._reap_all()
            left = None if until is None else until - time.monotonic()
            if ending is not None or (left is not None and left <= 0):
                return ending
            if select.select([self._woken], [], [], left)[0]:
                os.read(self._woken, 4096)

    def _reap_all(self) -> Ending | None:
        """Takes leave of children that ended, also of orphans that this process has adopted."""
        assert self.worker is not None
        while True:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return None
            code = os.waitstatus_to_exitcode(status)
            if pid == self.worker.pid:
                self.worker.returncode = code
                self._end_family(pid)
                return self._ending(code, usage.ru_maxrss)
            if self.poller is not None and pid == self.poller.pid:
                self.poller.returncode = code
                self._start_poller()

    def _end_family(self, worker: int) -> None:
        """Children of a worker do not outlive it, in whatever group or session they are."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
        end_children(spared=self.poller.pid if self.poller is not None else 0)

    def _ending(self, code: int, peak: int) -> Ending:
        """``peak`` is the most memory that it had, in the kernel's unit."""
        unit = 1 if sys.platform == "darwin" else 1024
        why = self.kills.verdict(unit * peak) if code == -signal.SIGKILL else ""
        return Ending(max(0, code), max(0, -code), why)

    def _on_stop(self, *_: object) -> None:
        self.stopping = True
        self._tell_worker()

    def _tell_worker(self) -> None:
        if self.worker is not None and self.worker.returncode is None:
            liveness.send(liveness.identity(self.worker.pid), signal.SIGTERM)

    def _start_poller(self) -> None:
        """The watcher of GPUs is a process of its own: a hung driver hangs nobody else."""
        self.polls += 1
        if self.polls <= 1 + RESTARTS:
            arguments = [str(self.run), "--pid-from", "status.json", "--parent", str(os.getpid())]
            self.poller = self._spawn("genai_tui.telemetry", arguments)

    def _end_poller(self) -> None:
        # Never waited for: a process stuck in a driver cannot be reaped.
        if self.poller is not None and self.poller.returncode is None:
            self.poller.terminate()

    def _spawn(
        self,
        module: str,
        arguments: list[str],
        environ: Mapping[str, str] = _PLAIN,
        keeps: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            process_group=0,
            pass_fds=keeps,
            env={**os.environ, "GENAI_TUI_KEEPER": str(os.getpid()), **environ},
        )

    def _write(self, **fields: Any) -> None:
        """Changes some fields of the status. Only while there is no worker to write it."""
        keeper = liveness.identity(os.getpid())
        known = {"format": 1, **read(self.run / "status.json")}
        self.status = {**known, **fields, "heartbeat": time.time()}
        self.status.setdefault("of", self.steps)
        self.status["attempt"] = self.attempt
        self.status["keeper"] = {"pid": keeper.pid, "started": keeper.started}
        self.status |= {"host": os.uname().nodename, "boot_id": liveness.boot_id()}
        try:
            self._replace_status()
        except OSError:
            reserve.release(self.run)  # a worker that was killed has left its last room
            try:
                self._replace_status()
            except OSError as error:
                _tell(f"the status cannot be written: {error}")

    def _replace_status(self) -> None:
        write_atomic(self.run / "status.json", json.dumps(self.status).encode())

    def _with_last_line(self, reason: str) -> str:
        try:
            with opened(self.run / "console.log") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return reason
        said = [line for line in lines if line.strip() and not line.startswith("keeper:")]
        return f"{reason}; last words: {said[-1].strip()[:300]}" if said else reason


@contextlib.contextmanager
def _withheld() -> Generator[None]:
    """What is started in here gets no request to stop before it can take one, and asks for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wake(*_: object) -> None:
    """A child has ended; the byte that the signal leaves in a pipe is what is waited for."""


def _tell(sentence: str) -> None:
    with contextlib.suppress(OSError):  # the console may be on a disk that is full
        print(f"keeper: {time.strftime('%Y-%m-%d %H:%M:%S%z')} {sentence}", flush=True)


def _final(state: str, ending: Ending) -> dict[str, Any]:
    return {
        "state": state,
        "phase": "",
        "worker": None,
        "eta": None,
        "exit_code": ending.code,
        "signal": ending.signal or None,
    }


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none that can be read."""
    try:
        with opened(path) as file:
            found: Any = json.load(file)
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _hang_minutes(run: Path) -> float:
    """How long its worker may go without a step; 0 is for ever, also where the run does not say."""
    said = read(run / "run.json").get("train_config")
    minutes = cast("dict[str, Any]", said).get("hang_minutes") if isinstance(said, dict) else None
    return max(0.0, float(minutes)) if isinstance(minutes, int | float) else 0.0


def _checkpoints(run: Path) -> set[tuple[str, int]]:
    """Name and time of every checkpoint: a new one is progress, also below one that is damaged."""
    found: set[tuple[str, int]] = set()
    for path in (run / "checkpoints").glob("step-*"):
        with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
            found.add((path.name, path.stat().st_mtime_ns))
    return found
