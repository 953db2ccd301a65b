"""The studio's side of evaluations: starts the worker that scores a checkpoint."""

import subprocess
import tempfile
import threading
from collections.abc import Callable

from backends import records
from backends.records import Record, Score
from genai_tui.launch import LaunchError, last_sentence, worker_command
from genai_tui.run import Run


def evaluate(
    run: Run, step: int, count: int, seed: int, told: Callable[[Record], object]
) -> list[Score]:
    """Scores a checkpoint in a worker of its own, which also writes them into the run.

    Args:
        count: samples to draw; 0 is the usual number.
        told: called with every record as it comes: phases and scores.

    Raises:
        LaunchError: it cannot be scored, or is being scored already.
    """
    found: list[Score] = []
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            worker_command(_evaluation(run, step, count, seed)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                record = records.decode_record(line)
                told(record)
                if isinstance(record, Score):
                    found.append(record)
        if process.returncode:
            errors.seek(0)
            raise LaunchError(last_sentence(errors.read(), process.returncode))
    return found


def begin(run: Run, step: int, count: int = 0) -> None:
    """The same, without waiting: what comes of it is read in the run. It outlives this process.

    Raises:
        LaunchError: the worker cannot be started.
    """
    try:
        process = subprocess.Popen(
            worker_command(_evaluation(run, step, count, 0)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"the worker cannot be started: {error}") from None
    threading.Thread(target=process.wait, name="evaluation", daemon=True).start()


def _evaluation(run: Run, step: int, count: int, seed: int) -> list[str]:
    numbers = ["--step", str(step), "--count", str(count), "--seed", str(seed)]
    return ["evaluate", str(run.path), *numbers]
