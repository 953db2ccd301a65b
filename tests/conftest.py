"""What every test stands on: one thread, no file of the user's, no process left behind."""

import contextlib
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Before anything imports torch, and for every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
_HOME = Path(tempfile.mkdtemp(prefix="genai-tui-tests-"))
os.environ["GENAI_TUI_CACHE"] = str(_HOME / "cache")
os.environ["GENAI_TUI_RUNS"] = str(_HOME / "runs")
os.environ["GENAI_TUI_STATE"] = str(_HOME / "state")
os.environ["GENAI_TUI_SETTINGS"] = str(_HOME / "settings.toml")

import pytest  # noqa: E402
from faults.report import (  # noqa: E402, F401 - hooks, which the process that collects nothing has too
    pytest_addoption,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from hypothesis import settings  # noqa: E402

from genai_tui.store import Store  # noqa: E402

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_is_remembered_of_other_tests() -> None:
    """How charts and pictures were left is the user's: a test begins without any."""
    (_HOME / "settings.toml").unlink(missing_ok=True)
    shutil.rmtree(_HOME / "state" / "charts", ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def _what_is_there_is_not_searched_again() -> None:
    """A studio collects garbage when a screen closes, and PyTorch's objects are a million."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, the user's own; whatever was started on a run of it is gone afterwards."""
    monkeypatch.setenv("GENAI_TUI_RUNS", str(tmp_path / "runs"))
    yield Store(tmp_path / "runs")
    _kill_all(tmp_path)


@pytest.fixture
def torch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a module of that code in the place of PyTorch, for the processes started from now on."""

    def put(code: str) -> None:
        (tmp_path / "poison").mkdir(exist_ok=True)
        (tmp_path / "poison/torch.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "poison"), prepend=os.pathsep)

    return put


def _kill_all(path: Path) -> None:
    """Kills every process that names ``path`` among its arguments, keepers before their workers."""
    deadline = time.monotonic() + 10
    while ours := [pid for pid in _processes() if os.fsencode(path) in _arguments(pid)]:
        assert time.monotonic() < deadline, f"cannot be killed: {ours}"
        for pid in sorted(ours):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() if pid != os.getpid() else b""
    except OSError:
        return b""
