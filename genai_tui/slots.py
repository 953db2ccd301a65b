"""The devices of this machine on which runs take turns, by the facts of telemetry.

A process of its own asks the driver, and is killed if that hangs. Standard library only, for the
keeper's sake.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

from genai_tui.turns import CPU, Slot

ANSWER_SECONDS = 20.0
IDLE_SHARE = 0.1
"""Of a GPU's memory: with no more in use, and no processes known, nobody computes there."""


def slots(folder: Path) -> list[Slot]:
    """Every GPU that CUDA may show here, in its order, and the CPU; the CPU alone if none says."""
    return [*gpus(_snapshot(folder)), Slot(CPU)]


def gpus(snapshot: Any) -> list[Slot]:
    """The GPUs in a sample of telemetry. A card that is divided stands back for its parts."""
    told = cast("dict[str, Any]", snapshot).get("gpus") if isinstance(snapshot, dict) else None
    listed = cast("list[Any]", told) if isinstance(told, list) else []
    cards = [cast("dict[str, Any]", card) for card in listed if isinstance(card, dict)]
    divided = {card.get("parent") for card in cards if card.get("parent")}
    whole = [card for card in cards if card.get("uuid") not in divided]
    return [
        Slot(f"cuda:{index}", str(card.get("uuid") or ""), _is_used(card))
        for index, card in enumerate(whole)
    ]


def _is_used(card: dict[str, Any]) -> bool:
    processes = card.get("processes")
    if processes is not None:
        return bool(processes)
    used, total = card.get("memory_used"), card.get("memory_total")
    return bool(used and total and used > IDLE_SHARE * total)


def _snapshot(folder: Path) -> Any:
    """One sample; nothing where none could be had in time."""
    poller = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "genai_tui.telemetry", str(folder)),
            *("--print", "--visible-only", "--parent", str(os.getpid())),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert poller.stdout is not None
    try:
        return json.loads(_first_line(poller.stdout.fileno()))
    except ValueError:
        return {}
    finally:
        poller.kill()
        poller.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            poller.wait(1)  # one that is stuck in a driver cannot be reaped


def _first_line(fd: int) -> bytes:
    data, until = b"", time.monotonic() + ANSWER_SECONDS
    while not data.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return b""
        piece = os.read(fd, 1 << 16)
        if not piece:
            return b""
        data += piece
    return data
