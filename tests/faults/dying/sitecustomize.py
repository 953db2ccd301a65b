"""On the path of a worker this kills it in the middle of writing a checkpoint.

``GENAI_TUI_TEST_DYING`` names a file with two numbers: at which call on files the thread that
writes checkpoints dies, counted from the beginning of a checkpoint, and by how much that number
grows each time. When a checkpoint has no such call any more, the file is removed, and with it the
danger. What was done at each death is appended to the file ``.deaths`` beside it.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}


class _Reaper:
    def __init__(self, plan: Path) -> None:
        self.plan = plan
        self.number, self.stride = (int(word) for word in plan.read_text().split())
        self.calls = self.begun = 0

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and _writes(arguments[2])):
            self.pass_by(event, str(arguments[event == "os.rename"]))

    def pass_by(self, event: str, path: str) -> None:
        if self.begun > 1 or threading.current_thread().name.split("_")[0] != "checkpoint":
            return
        if event == "shutil.rmtree" and path.endswith(f"-{os.getpid()}"):
            self.begun += 1
            if self.begun > 1:
                self.plan.unlink()
                return
        if self.calls == self.number:
            self.die(event, path)
        self.calls += 1

    def die(self, event: str, path: str) -> None:
        self.begun = 2  # what follows is not part of the checkpoint
        self.plan.write_text(f"{self.number + self.stride} {self.stride}")
        with self.plan.with_suffix(".deaths").open("a") as file:
            file.write(f"{event} {path.rpartition('/')[2]}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _writes(flags: Any) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _threaten(plan: Path) -> None:
    reaper = _Reaper(plan)
    fsync = os.fsync

    def reaped_fsync(fd: Any) -> None:
        reaper.pass_by("fsync", os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    os.fsync = reaped_fsync
    sys.addaudithook(reaper.hear)


_plan = Path(os.environ.get("GENAI_TUI_TEST_DYING", ""))
if _plan.is_file():
    _threaten(_plan)
