"""One sample of everything."""

import os
import time
from pathlib import Path

from genai_tui.clock import Forward
from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.host import HostMeter
from genai_tui.telemetry.patient import PATIENCE_S, PatientGpus
from genai_tui.telemetry.process import WorkerMeter
from genai_tui.telemetry.processes import ProcessMeter, strangers
from genai_tui.telemetry.record import Gpu, Process, Snapshot, Telemetry

PROCESSES_S = 3.0  # looking at every process of a machine takes milliseconds


class Sampler:
    """Samples GPUs, machine and processes. For one thread, which no driver can hang."""

    def __init__(
        self, *, visible_only: bool = False, patience: float = PATIENCE_S, since: float = 0.0
    ) -> None:
        """``visible_only``: only the GPUs that CUDA_VISIBLE_DEVICES shows; ``patience``: the wait
        for the driver in seconds; ``since``: the time of the last sample before."""
        setting = os.environ.get("CUDA_VISIBLE_DEVICES") if visible_only else None
        self._gpus = PatientGpus(Gpus(setting), patience)
        self._clock = Forward(since)
        self._host = HostMeter()
        self._worker = WorkerMeter()
        self._processes = ProcessMeter()
        self._due = float("-inf")
        self._looks = 0

    def sample(self, worker_pid: int | None, folder: Path, started: int = 0) -> Telemetry:
        """The state now; disk numbers are those of ``folder``. Never raises.

        ``started``: when the worker started, as status.json has it, against reused pids.
        """
        answered = self._gpus.sample()
        return Telemetry(
            t=round(self._clock(), 3),
            gpus=answered.gpus,
            gpu_problem=answered.problem,
            host=self._host.sample(folder),
            worker=self._worker.sample(worker_pid, started),
        )

    def snapshot(self, folder: Path, *, processes: bool = False) -> Snapshot:
        """The state now for who looks at it; with all processes, looked at every few seconds."""
        answered = self._gpus.sample()
        on_gpus = _pids(answered.gpus)
        return Snapshot(
            t=round(self._clock(), 3),
            gpus=answered.gpus,
            gpu_problem=answered.problem,
            host=self._host.sample(folder),
            cores=self._host.cores() if processes else None,
            processes=self._look(on_gpus) if processes else None,
            strangers=strangers(on_gpus) if processes and on_gpus else [],
        )

    def _look(self, first: frozenset[int]) -> list[Process] | None:
        now = time.monotonic()
        if now < self._due:
            return None
        self._looks += 1
        self._due = now + (PROCESSES_S if self._looks > 1 else 0.0)  # loads take two looks
        return self._processes.sample(first)


def _pids(gpus: list[Gpu]) -> frozenset[int]:
    return frozenset(each.pid for gpu in gpus for each in gpu.processes or [])
