"""What every test stands on: one thread, no file of the user's, no process left behind."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before anything imports torch, and for every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
_HOME = Path(tempfile.mkdtemp(prefix="genai-tui-tests-"))
os.environ["GENAI_TUI_CACHE"] = str(_HOME / "cache")
os.environ["GENAI_TUI_RUNS"] = str(_HOME / "runs")
os.environ["GENAI_TUI_SETTINGS"] = str(_HOME / "settings.toml")

import psutil  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from genai_tui.store import Store  # noqa: E402

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store; whatever was started on a run of it is gone afterwards."""
    yield Store(tmp_path / "runs")
    _kill_all(str(tmp_path))


def _kill_all(path: str) -> None:
    """Kills every process that names ``path`` among its arguments, keepers before their workers."""
    for _ in range(3):
        ours = [process for process in psutil.process_iter() if _names(process, path)]
        if not ours:
            return
        for process in sorted(ours, key=lambda one: one.pid):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(ours, timeout=5)


def _names(process: psutil.Process, path: str) -> bool:
    try:
        return process.pid != os.getpid() and any(path in word for word in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
