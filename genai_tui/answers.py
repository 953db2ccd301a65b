"""The worker's short answers: the catalogue, plans, and samples from a checkpoint."""

import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from backends.records import PlanRequest, SampleRequest
from genai_tui.store import Run, RunError


def describe(to: BinaryIO) -> int:
    """Writes the catalogue as one JSON document."""
    from backends import catalogue

    to.write(msgspec.json.encode(catalogue.describe()))
    to.flush()
    return 0


def plan(to: BinaryIO) -> int:
    """Answers each request, a line of JSON on stdin, with a plan, a line of JSON."""
    from backends import catalogue

    decode = msgspec.json.Decoder(PlanRequest).decode
    for line in sys.stdin.buffer:
        to.write(msgspec.json.encode(catalogue.plan(decode(line))) + b"\n")
        to.flush()
    return 0


def sample(to: BinaryIO, path: Path, step: int, request: str, out: Path) -> int:
    """Draws from a checkpoint of a run into the folder ``out``; one sentence on stderr if not."""
    from backends import catalogue, checkpoints, samples
    from backends.knobs import ConfigError
    from backends.model import RequestError

    run, root = Run(path), path / "checkpoints"
    try:
        found = checkpoint_at(root, step)
        model, numerics = catalogue.ready(run.spec(), root, found)
        asked = msgspec.json.decode(request, type=SampleRequest)
        count = samples.write(out, samples.draw(model, asked, numerics), asked)
    except (checkpoints.CheckpointError, ConfigError, RunError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    except OSError as error:
        print(f"{out} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    to.write(msgspec.json.encode({"step": found, "count": count, "path": str(out)}) + b"\n")
    to.flush()
    return 0


def checkpoint_at(root: Path, step: int) -> int:
    """The step of a checkpoint in the folder ``root``; below 0 is the newest.

    Raises:
        CheckpointError: there is none.
    """
    from backends.checkpoints import CheckpointError, steps

    there = steps(root)
    if not there:
        raise CheckpointError("this run has no checkpoint yet: wait for the first one")
    if step < 0:
        return there[-1]
    if step not in there:
        known = ", ".join(str(one) for one in there)
        raise CheckpointError(f"there is no checkpoint at step {step}; there are {known}")
    return step
