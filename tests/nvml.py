"""A fake GPU driver for tests: builds the stub NVML, and samples it in a fresh process.

The loader looks for libraries where it was told when the process started, so whatever is to meet
the stub is a child, and nothing else in the test process ever sees it.

Tests import names from here and load the fixtures with ``pytest_plugins``: PYTEST_DONT_REWRITE.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.record import Gpu

ROOT = Path(__file__).parent.parent
SOURCE = Path(__file__).with_name("nvml_stub.c")
MIB = 2**20

HEALTHY: dict[str, object] = {
    "gpus": 2,
    "util": 37,
    "membusy": 12,
    "temp": 61,
    "fan": 45,
    "clock": 1980,
    "memclock": 2619,
    "rx": 1_200_000,
    "tx": 300_000,
    "reasons": 0x5,
    "power": 215_500,
    "limit": 400_000,
    "used": 3000 * MIB,
    "total": 81_920 * MIB,
    "pids": "4242:1048576,4243",
}


class Sampled(msgspec.Struct):
    """What the probe answers."""

    gpus: list[Gpu]
    problem: str


class Driver:
    """The stub, its state file, and the environment in which a process finds them."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._state = folder / "nvml.txt"
        self._facts: dict[str, object] = {}
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_LIBRARY_PATH": str(library),
            "FAKE_NVML": str(self._state),
        }
        self.reset()

    def reset(self) -> None:
        """Two healthy GPUs."""
        self._facts = dict(HEALTHY)
        self.set({})

    def set(self, facts: Mapping[str, object]) -> None:
        """Change facts, as the stub's source lists them; None forgets one."""
        self._facts.update(facts)
        known = {key: value for key, value in self._facts.items() if value is not None}
        partial = self._state.with_suffix(".tmp")
        partial.write_text("".join(f"{key} {value}\n" for key, value in known.items()))
        partial.replace(self._state)


class Probe:
    """A process with the real nvidia-ml-py and a clock that the test sets."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def new(self, setting: str | None = None) -> None:
        """Forget everything, and show the GPUs of ``setting``."""
        self._say({"new": setting})

    def sample(self, at: float) -> Sampled:
        """What ``Gpus.sample`` gives when its clock says ``at`` seconds."""
        answer = self._say({"at": at})
        return msgspec.json.decode(answer, type=Sampled)

    def _say(self, words: dict[str, object]) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def probing(driver: Driver) -> Generator[Probe]:
    """A probe that meets ``driver``."""
    command = [sys.executable, "-P", __file__]
    with subprocess.Popen(
        command,
        env=driver.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Probe(process)
        assert process.stdin
        process.stdin.close()


def build(folder: Path, missing: str = "") -> Path:
    """Compile the stub into ``folder`` without the symbol ``missing``; skip without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the stub of the NVIDIA library needs Linux and a C compiler (cc)")
    renamed = [f"-D{missing}=no_such_symbol"] if missing else []
    output = ["-o", str(folder / "libnvidia-ml.so.1"), str(SOURCE)]
    subprocess.run(
        [compiler, "-O0", "-Wall", "-Werror", "-shared", "-fPIC", *renamed, *output], check=True
    )
    return folder


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the complete stub."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def shared_driver(
    nvml_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Driver, Probe]]:
    """One driver and one probe for all tests: starting a process is what takes the time."""
    driver = Driver(nvml_library, tmp_path_factory.mktemp("driver"))
    with probing(driver) as probe:
        yield driver, probe


@pytest.fixture
def driver(shared_driver: tuple[Driver, Probe]) -> Driver:
    """Two healthy GPUs, to be damaged at will."""
    shared_driver[0].reset()
    return shared_driver[0]


@pytest.fixture
def probe(shared_driver: tuple[Driver, Probe], driver: Driver) -> Probe:
    """Samples ``driver``, as a program that has just started."""
    shared_driver[1].new()
    return shared_driver[1]


def _serve() -> None:
    now = [0.0]
    gpus = Gpus(clock=lambda: now[0])
    for line in sys.stdin:
        words = json.loads(line)
        if "at" in words:
            now[:] = [words["at"]]
            answer = msgspec.json.encode(Sampled(gpus.sample(), gpus.problem)).decode()
        else:
            gpus = Gpus(words["new"], clock=lambda: now[0])
            answer = ""
        print(answer, flush=True)


if __name__ == "__main__":
    _serve()
