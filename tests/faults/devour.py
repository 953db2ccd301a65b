"""Loads one data set or file of weights, as a worker does, and tells how that went.

``python devour.py KIND PATH`` prints JSON: ``items``, ``notices``, ``error``, ``peak``, the most
memory in bytes that was in use, and ``decoders``, the most of a child.
"""

import contextlib
import io
import json
import os
import resource
import sys
from importlib import import_module
from pathlib import Path

from backends.data_error import DataError
from backends.knobs import ConfigError

LIMIT = 24 << 30
"""Of address space: torch reserves some, and a bomb fails instead of the machine."""


def main(kind: str, path: Path) -> dict[str, object]:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    os.umask(0o077)
    told: dict[str, object] = {"items": 0, "notices": [], "error": ""}
    try:
        if kind == "weights":
            _weights(path)
        elif kind == "checkpoint":
            _checkpoint(path)
        elif kind == "import":
            told["items"] = _imported(path)
        else:
            module = import_module(f"backends.datasets.{kind}")
            data = module.load(module.Config(), path, 0.1)
            told |= {"items": len(data.train) + len(data.validation), "notices": data.notices}
    except (DataError, ConfigError) as error:
        told["error"] = str(error)
    decoders = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**told, "peak": _peak(), "decoders": decoders.ru_maxrss << 10}


def _peak() -> int:
    """Not that of getrusage, which counts what the parent had before this program began."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def _weights(path: Path) -> None:
    from torch import nn

    from backends.weights import begin_with

    begin_with(nn.Linear(2, 2), path)  # pyright: ignore[reportArgumentType]


def _imported(path: Path) -> int:
    """As the child of ``genai-tui import`` does it; the tensors that came of it."""
    from genai_tui.converting import convert

    answer, said = io.BytesIO(), io.StringIO()
    with contextlib.redirect_stderr(said):
        status = convert(answer, path, Path(f"{path}.safetensors"), "", os.getppid())
    if status:
        raise DataError(said.getvalue().strip())
    return json.loads(answer.getvalue())["tensors"]


def _checkpoint(path: Path) -> None:
    from backends.checkpoints import CheckpointError, load_newest

    try:
        load_newest(path)
    except CheckpointError as error:
        raise DataError(str(error)) from None


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
