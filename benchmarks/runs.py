"""Run folders for the benchmarks, written with the store's own code."""

import math
import time
from pathlib import Path

from backends import records
from backends.records import RunSpec, Status
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic

KEYS = ("loss", "G/loss", "D/loss", "kl", "reconstruction", "grad_norm", "lr", "active_units")


def fill(root: Path, count: int) -> Store:
    """A store with ``count`` finished runs."""
    store = Store(root)
    for index in range(count):
        identity = f"20260101-{index:06d}-vae-conv-aaaa"
        make(store, f"run-{index:04d}", steps=200, points=20, identity=identity)
    return store


def make(
    store: Store, name: str, *, steps: int, points: int, keys: int = 8, identity: str = ""
) -> Run:
    """A finished run of ``points`` logged points with ``keys`` scalars each."""
    spec = RunSpec(
        id=identity or store.new_id("vae/conv"),
        name=name,
        model="vae/conv",
        dataset="fashion-mini",
        train_config={"steps": steps},
        created=time.time(),
    )
    run = store.create(spec)
    log = Log(run.records)
    begin = time.time() - points
    log.append(records.Start(step=0, t=begin, attempt=1, of=steps))
    every = max(1, steps // points)
    for point in range(1, points + 1):
        log.append(step(point * every, begin + point, keys))
    log.append(records.End(step=steps, t=begin + points, state="finished", exit_code=0))
    log.close()
    curve: list[records.Scalar] = [1 / (1 + i) for i in range(32)]
    status = Status(
        state="finished",
        step=steps,
        of=steps,
        loss=0.125,
        curve=curve,
        heartbeat=time.time(),
        exit_code=0,
    )
    write_atomic(run.path / "status.json", records.encode(status))
    return run


def step(number: int, t: float, keys: int = 8) -> records.Step:
    """A logged point whose scalars look like a training's."""
    names = [*KEYS, *(f"extra_{i}" for i in range(keys))][:keys]
    noise = math.sin(number * 12.9898) * 0.05
    values: dict[str, records.Scalar] = {
        name: (1 + index) / math.sqrt(number + 1) + noise + 0.3 for index, name in enumerate(names)
    }
    return records.Step(step=number, t=t, values=values)
