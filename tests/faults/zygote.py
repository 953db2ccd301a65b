"""Keepers and workers that start in milliseconds, so that thousands of them can be killed.

They are what they always are, processes of their own that run the very code of ``genai_tui.keeper``
and ``genai_tui.worker``; only that they are forked off a process which has imported everything,
where the product starts a fresh Python that needs seconds for the same.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from genai_tui import launch
from genai_tui.store import Run

LONGEST = 1 << 16
_PLAIN: Mapping[str, str] = {}


class Zygote:
    """The process that forks; close it at the end."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        code = "import sys; from faults import zygote; zygote.serve(int(sys.argv[1]))"
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONPATH": path},
        )
        theirs.close()
        assert self._line.recv(LONGEST) == b"ready"

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Has ``genai_tui.launch`` start its keepers here."""
        monkeypatch.setattr(launch, "_begin_keeper", self._begin)

    def close(self) -> None:
        self._line.close()
        self._process.wait()

    def _begin(self, run: Run, steps: int, ready: int, queue: bool) -> "_Child":
        """As :func:`launch._begin_keeper`: ``ready`` is the keeper's from here on."""
        del queue
        told = json.dumps([str(run.path), "--steps", str(steps)]).encode()
        socket.send_fds(self._line, [told], [ready])
        os.close(ready)
        assert self._line.recv(LONGEST) == b"done"
        return _Child(0)


class _Child:
    """What the supervisor needs of a process that was started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        return 0

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


# --------------------------------------------------------------------------- the other side


def serve(descriptor: int) -> None:
    """Forks a keeper for each line, until nobody asks any more."""
    line = socket.socket(fileno=descriptor)
    _import_everything()
    line.sendall(b"ready")
    while True:
        told, fds, _, _ = socket.recv_fds(line, LONGEST, 1)
        if not told:
            return
        [ready] = fds
        pid = _forked(partial(_keep, json.loads(told), ready), keeps=(ready,))
        os.close(ready)
        os.waitpid(pid, 0)  # it only forks, as a keeper does; nobody waits for what it becomes
        line.sendall(b"done")


def _import_everything() -> None:
    import torch

    import backends.training
    import backends.vae.mlp
    import genai_tui.attempt
    import genai_tui.keeper
    import genai_tui.worker
    from genai_tui.supervisor import Keeper

    _ = backends.training, backends.vae.mlp, genai_tui.attempt, genai_tui.keeper, genai_tui.worker
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], fused=True)  # imports a thousand files
    Keeper._spawn = _spawn  # pyright: ignore[reportAttributeAccessIssue]


def _keep(arguments: list[str], ready: int) -> int:
    from genai_tui import keeper

    return keeper.main([*arguments, "--ready", str(ready)])


def _spawn(
    self: object,
    module: str,
    arguments: list[str],
    environ: Mapping[str, str] = _PLAIN,
    keeps: tuple[int, ...] = (),
) -> _Child:
    """In the place of ``Keeper._spawn``."""
    keeper = str(os.getpid())

    def child() -> int:
        os.setpgid(0, 0)
        os.environ.update({"GENAI_TUI_KEEPER": keeper, **environ})
        if module == "genai_tui.worker":
            from genai_tui import worker

            worker._exit(worker.main(arguments))
        from genai_tui.parent import follow_parent

        while follow_parent(signal.SIGKILL):  # the watcher of GPUs has nothing to see here
            signal.pause()
        return 0

    return _Child(_forked(child, keeps))


def _forked(life: Callable[[], int], keeps: tuple[int, ...] = ()) -> int:
    """The pid of a child with the descriptors that it would have after an exec."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for entry in os.listdir("/proc/self/fd"):
            if int(entry) > 2 and int(entry) not in keeps:
                _close(int(entry))
        code = life()
    except BaseException:
        traceback.print_exc()  # to the run's console; nothing may get back to who has forked
        raise
    finally:
        os._exit(code)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return  # it was that of the listing
