"""The page of GPUs and its poller: traffic and CPU while all figures of eight GPUs change.

The GPUs are those of the tests' stub of NVIDIA's library under the real nvidia-ml-py. It reads a
text file at every call, which is neither what a driver costs nor less than it.
"""

import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.terminal import Terminal

SECONDS = 30
STUB = Path(__file__).parents[1] / "tests" / "nvml_stub.c"
SIZES = ((80, 24), (200, 60))
GIB = 2**30


def measure(folder: Path) -> Iterator[Figure]:
    """Every figure of the page; ``folder`` is scratch space."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from _page(folder, "no GPU", {})
    compiler = shutil.which("cc")
    if compiler is None:
        yield Figure("page of GPUs, 8 GPUs", None, "", note="needs a C compiler (cc)")
        return
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, STUB], check=True)
    state = folder / "gpus.txt"
    environment = {"LD_LIBRARY_PATH": str(folder), "FAKE_NVML": str(state)}
    with _busy(state):
        yield from _page(folder, "8 GPUs", environment)


@contextmanager
def _busy(state: Path) -> Iterator[None]:
    """Eight GPUs whose figures all change every second."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(1.0):
            _write(state, time.time())

    _write(state, time.time())
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(state: Path, t: float) -> None:
    lines = ["gpus 8", f"total {80 * GIB}", "limit 700000", "memclock 2619", "fan 40"]
    for card in range(8):
        wave = math.sin(t / 9 + card)
        facts = {
            "util": round(85 + 12 * wave),
            "membusy": round(40 + 20 * wave),
            "temp": round(61 + 8 * wave),
            "power": round(520_000 + 120_000 * wave),
            "used": round((40 + 2 * wave) * GIB),
            "clock": round(1980 + 15 * round(3 * wave)),
            "rx": round(1e6 + 5e5 * wave),
            "tx": round(3e5 + 1e5 * wave),
            "reasons": 4 * (wave > 0),
            "pids": f"{1 + card}:{GIB}",
        }
        lines += [f"{name}.{card} {value}" for name, value in facts.items()]
    partial = state.with_suffix(".tmp")
    partial.write_text("\n".join(lines) + "\n")
    partial.replace(state)


def _page(folder: Path, what: str, environment: dict[str, str]) -> Iterator[Figure]:
    for columns, rows in SIZES:
        size = f"{columns}x{rows}"
        launcher = "from genai_tui.cli import main; main()"
        argv = [sys.executable, "-c", launcher, "--runs", str(folder / "runs")]
        with Terminal(argv, columns=columns, rows=rows, environment=environment) as terminal:
            terminal.wait(lambda text: "No runs yet" in text)
            terminal.settle(1.0)
            terminal.send(b"3")
            terminal.wait(lambda text: "CPU %" in text)
            terminal.listen(8.0)
            poller = _poller(terminal.pid)
            began, before, polled = time.perf_counter(), terminal.cpu(), _cpu(poller)
            traffic = terminal.listen(SECONDS) / SECONDS
            took = time.perf_counter() - began
            share = 100 * (terminal.cpu() - before) / took
            polling = 100 * (_cpu(poller) - polled) / took
            memory, page = _memory(poller), terminal.memory()
        yield Figure(
            f"page of GPUs at 1 Hz, {what}, {size}", traffic / 1000, "kB/s", f"{page:.0f} MB"
        )
        yield Figure(f"its CPU, {what}, {size}", share, "% of a core")
        yield Figure(f"its poller's CPU, {what}", polling, "% of a core", f"{memory:.0f} MB")


def _poller(parent: int) -> int:
    """The pid of the poller that ``parent`` has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        command = (stat.parent / "cmdline").read_bytes()
        if int(fields[1]) == parent and b"genai_tui.telemetry" in command:
            return int(stat.parent.name)
    raise RuntimeError("the page has started no poller")


def _cpu(pid: int) -> float:
    """CPU seconds that the threads of a process have used, to the microsecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _memory(pid: int) -> float:
    """Proportional set size in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
