"""One sample of everything."""

import os
import time
from pathlib import Path

from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.host import HostMeter
from genai_tui.telemetry.process import WorkerMeter
from genai_tui.telemetry.record import Telemetry


class Sampler:
    """Samples GPUs, machine and worker. For one thread, which hangs as long as the driver."""

    def __init__(self, *, visible_only: bool = False) -> None:
        """``visible_only``: only the GPUs that CUDA_VISIBLE_DEVICES shows."""
        setting = os.environ.get("CUDA_VISIBLE_DEVICES") if visible_only else None
        self._gpus = Gpus(setting)
        self._host = HostMeter()
        self._worker = WorkerMeter()

    def sample(self, worker_pid: int | None, folder: Path, started: int = 0) -> Telemetry:
        """The state now; disk numbers are those of ``folder``. Never raises.

        ``started``: when the worker started, as status.json has it, against reused pids.
        """
        return Telemetry(
            t=round(time.time(), 3),
            gpus=self._gpus.sample(),
            gpu_problem=self._gpus.problem,
            host=self._host.sample(folder),
            worker=self._worker.sample(worker_pid, started),
        )
