"""One entrant's training in a process of its own: ``python -m benchmarks.quality.attempt JSON``."""

import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import torch
from PIL import Image

from backends import samples
from benchmarks.quality import images, ours
from benchmarks.quality.budget import Budget
from benchmarks.quality.entrants import Entrant
from benchmarks.quality.trained import NotTrainedError, Trained

PICTURES, LABELS, FACTS = "samples.npy", "labels.npy", "facts.json"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told. ``folder`` is its own, ``data`` holds the IDX files, ``after`` is the
    folder of the entrant whose training it draws from, and ``key`` stands for all that decides what
    it will draw."""

    key: str
    entrant: Entrant
    data: str
    folder: str
    peers: str
    after: str = ""
    budget: float
    seed: int
    count: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a process found out, or the sentence that says why it did not."""

    key: str = ""
    error: str = ""
    seconds: float = 0.0  # of CPU time, all but drawing
    draw_seconds: float = 0.0  # of CPU time
    steps: int = 0
    parameters: int = 0
    precision: str = ""
    labelled: bool = False


def main() -> None:
    task = msgspec.json.decode(sys.argv[1], type=Task)
    folder = Path(task.folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    try:
        facts = _attempt(task, folder)
    except NotTrainedError as error:
        facts = Facts(error=str(error))
    except ImportError as error:
        facts = Facts(error=f"{error}: install it where Python or --peers finds it")
    (folder / FACTS).write_bytes(msgspec.json.encode(facts))


def _attempt(task: Task, folder: Path) -> Facts:
    """Trains, and draws: the clock starts when everything is imported."""
    peer = _peer(task.entrant)
    budget = Budget(task.budget)
    trained = _train(task, folder, peer, budget)
    seconds, begin = budget.spent, time.process_time()
    if task.after:
        seconds = _read(Path(task.after)).seconds
    drawn = trained.draw(task.count)
    draw_seconds = time.process_time() - begin
    pixels = samples.to_uint8(drawn.images)  # [N, H, W, C]
    np.save(folder / PICTURES, pixels)
    np.save(folder / LABELS, np.asarray(drawn.labels, np.int64))
    Image.fromarray(samples.grid(pixels[:100])[..., 0]).save(folder / "grid.png")
    return Facts(
        key=task.key,
        seconds=seconds,
        draw_seconds=draw_seconds,
        steps=trained.steps,
        parameters=trained.parameters,
        precision=trained.precision,
        labelled=len(drawn.labels) > 0,
    )


def _read(folder: Path) -> Facts:
    return msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)


def _peer(entrant: Entrant) -> ModuleType | None:
    return import_module(f"benchmarks.quality.peers.{entrant.peer}") if entrant.peer else None


def _train(task: Task, folder: Path, peer: ModuleType | None, budget: Budget) -> Trained:
    data = Path(task.data)
    if task.after:
        steps = _read(Path(task.after)).steps
        return ours.again(task.entrant, data, Path(task.after) / "run", task.seed, steps)
    if peer is None:
        return ours.run(task.entrant, data, folder / "run", budget, task.seed)
    train = images.read(data).train
    torch.manual_seed(task.seed)
    np.random.seed(task.seed)
    return peer.run(train.x, dict(task.entrant.settings), Path(task.peers), folder, budget)


if __name__ == "__main__":
    main()
