"""Fabricates run folders through the real store and log, as a worker would have left them."""

import lzma
import math
import random
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from backends import records
from backends.records import (
    Checkpoint,
    End,
    Histogram,
    Mark,
    Modality,
    Notice,
    Phase,
    Process,
    Record,
    RunSpec,
    Sample,
    Start,
    State,
    Status,
    Step,
)
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Gpu, Host, Snapshot, Telemetry, Worker

NOW = 1_795_428_930.0  # 2026-11-23, a Monday
LOG_EVERY = 10
EMBEDDED = Path(__file__).parents[1] / "backends" / "datasets" / "embedded"

TEXT = """ROMEO:
O, she doth teach the torches to burn bright!
It seems she hangs upon the cheek of night
Like a rich jewel in an Ethiope's ear;
"""


def build(
    store: Store,
    name: str,
    *,
    id: str = "",
    model: str = "vae/conv",
    dataset: str = "fashion-mini",
    state: State = "finished",
    step: int = 2000,
    of: int = 2000,
    created: float = NOW - 3600,
    reason: str = "",
    samples_every: int = 500,
    modality: Modality = "image",
    gpus: int = 0,
    telemetry: int = 60,
    seed: int = 0,
    train: records.Config | None = None,
) -> Run:
    """A run that has trained ``step`` of ``of`` steps; ``train`` are knobs of the loop."""
    run = store.create(
        RunSpec(
            id=id or f"20261122-101530-{model.replace('/', '-')}-{seed:04d}",
            name=name,
            model=model,
            dataset=dataset,
            created=created,
            seed=seed,
            train_config=train or {},
        )
    )
    log = Log(run.records)
    for record in story(model, state, step, of, created, samples_every, modality, seed):
        log.append(record)
        if isinstance(record, Sample):
            draw(run.path / record.path, modality, record.count, record.step / of)
    log.close()
    write_status(run, state, step, of, model=model, seed=seed, reason=reason, created=created)
    run.console.write_text("".join(console(model, step, of)))
    for index in range(telemetry):
        journal.append(run.path, machine(created + index, gpus, index))
    return run


def story(
    model: str,
    state: State,
    step: int,
    of: int,
    created: float,
    samples_every: int,
    modality: Modality,
    seed: int,
) -> Iterator[Record]:
    """The records of an undisturbed run."""
    dice = random.Random(seed)
    yield Start(step=0, t=created, attempt=1, of=of, device="cpu", parameters=1_234_567)
    yield Phase(step=0, t=created, name="training")
    for now in range(0, step + 1, LOG_EVERY):
        t = created + now * 0.08
        if now:
            rates: dict[str, records.Scalar] = {
                "steps_per_second": 12 + dice.random(),
                "items_per_second": 780 + dice.random(),
            }
            yield Step(step=now, t=t, values=values(model, now, of, dice), rates=rates)
        if now and now % 100 == 0:
            loss = 0.27 + 0.5 * math.exp(-now / 500) + 0.01 * dice.random()
            yield Step(step=now, t=t, values={"validation/loss": loss})
        if samples_every and now % samples_every == 0:
            path = f"samples/step-{now:06d}"
            yield Sample(step=now, t=t, path=path, modality=modality, count=16, seconds=0.1)
        if now and now % 500 == 0:
            yield Checkpoint(step=now, t=t, path=f"checkpoints/step-{now:06d}", bytes=5_000_000)
    if state in ("finished", "stopped", "failed"):
        code = {"finished": 0, "stopped": 75}.get(state, 70)
        yield End(step=step, t=created + step * 0.08, state=state, exit_code=code)  # pyright: ignore[reportArgumentType]


def values(model: str, step: int, of: int, dice: random.Random) -> dict[str, records.Scalar]:
    """Scalars as such a model logs them: falling, with noise."""
    noise = dice.gauss(0, 0.02)
    falling = 0.25 + 0.55 * math.exp(-step / (0.2 * of)) + noise
    common: dict[str, records.Scalar] = {"lr": 1e-3 * (1 + math.cos(math.pi * step / of)) / 2}
    if model.startswith("gan"):
        return {
            "G/loss": 1.2 + 0.4 * math.sin(step / 300) + 5 * noise,
            "D/loss": 0.6 + 0.2 * math.cos(step / 300) + 3 * noise,
            "D/real": 1.0 + noise,
            "D/fake": -1.0 - noise,
            "D/r1": 0.1 * abs(noise) + 1e-4,
            "G/grad_norm": 2 + 20 * noise,
            "D/grad_norm": 1 + 10 * noise,
            **common,
        }
    if model.startswith("autoregressive"):
        return {
            "loss": 1.2 + 4 * falling,
            "bits_per_dim": 2 + 5 * falling,
            "grad_norm": 1.0,
            **common,
        }
    kl = 0.05 * (1 - math.exp(-step / 200)) + 0.1 * abs(noise)
    return {
        "loss": falling,
        "reconstruction": falling - kl,
        "kl": kl,
        "grad_norm": 1.5 * falling + abs(5 * noise),
        **common,
    }


def spread(run: Run, name: str, steps: Iterable[int], created: float = NOW - 3600) -> None:
    """Histograms of a bell curve that gets wider, as a part of a model would have them."""
    log = Log(run.records)
    edges = [(place - 24) / 6 for place in range(49)]
    below = [(1 + math.erf(edge / math.sqrt(2))) / 2 for edge in edges]
    counts = [round(20_000 * (b - a)) for a, b in pairwise(below)]
    for step in steps:
        wide = 0.02 + step / 20_000
        log.append(
            Histogram(
                step=step,
                t=created + step * 0.08,
                name=name,
                low=-4 * wide,
                high=4 * wide,
                counts=counts,
                least=-5 * wide,
                most=4.5 * wide,
            )
        )
    log.close()


def write_status(
    run: Run,
    state: State,
    step: int,
    of: int,
    *,
    model: str = "vae/conv",
    seed: int = 0,
    reason: str = "",
    created: float = NOW,
    exit_code: int | None = None,
    signal: int | None = None,
) -> None:
    dice = random.Random(seed)
    live = state in ("starting", "running", "paused")
    curve = [0.25 + 0.5 * math.exp(-k / 8) + 0.03 * dice.random() for k in range(32)]
    steps = [step for step, _ in run.samples()]
    status = Status(
        state=state,
        phase="training" if live else "",
        step=step,
        of=of,
        steps_per_second=12.3 if live else None,
        items_per_second=787.0 if live else None,
        eta=(of - step) / 12.3 if live else None,
        loss=curve[-1],
        curve=list(curve),
        sample=f"samples/step-{steps[-1]:06d}" if steps else "",
        checkpoint=step // 500 * 500,
        attempt=1,
        worker=Process(pid=1),
        heartbeat=created + step * 0.08,
        reason=reason,
        exit_code=exit_code,
        signal=signal,
    )
    write_atomic(run.path / "status.json", records.encode(status))


def draw(folder: Path, modality: Modality, count: int, progress: float) -> None:
    """Samples that get better as the run goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    if modality == "text":
        for index in range(4):
            (folder / f"{index:03d}.txt").write_text(TEXT * (1 + index % 2))
        return
    tiles = fashion()[:count].astype(np.float64)
    noise = np.random.default_rng(0).uniform(0, 255, tiles.shape)
    blend = 0.15 + 0.85 * min(1.0, progress)
    pixels = (tiles * blend + noise * (1 - blend)).astype(np.uint8)
    for index, tile in enumerate(pixels):
        Image.fromarray(tile).save(folder / f"{index:03d}.png")
    side = math.isqrt(count)
    grid = pixels[: side * side].reshape(side, side, 28, 28).swapaxes(1, 2)
    Image.fromarray(grid.reshape(side * 28, side * 28)).save(folder / "grid.png")


@cache
def fashion() -> np.ndarray:
    """Real pictures of clothes, uint8 [2000, 28, 28]."""
    data = lzma.decompress((EMBEDDED / "fashion2k.images.npy.xz").read_bytes())
    return np.load(BytesIO(data)).reshape(-1, 28, 28)


def console(model: str, step: int, of: int) -> Iterator[str]:
    yield f"training {model} on the CPU, float32, 2 threads\n"
    for now in range(0, step + 1, max(1, of // 20)):
        yield f"step {now:>5}/{of}  loss {0.25 + 0.55 * math.exp(-now / 400):.4f}  12.3 steps/s\n"


def machine(t: float, gpus: int, index: int) -> Telemetry:
    wave = math.sin(index / 9)
    cards = [
        Gpu(
            uuid=f"GPU-{number}",
            index=number,
            name="NVIDIA H100 80GB HBM3",
            utilisation=90 + 8 * wave,
            memory_used=int((34 + wave) * 2**30),
            memory_total=80 * 2**30,
            power=520 + 90 * wave,
            power_limit=700,
            temperature=61 + 3 * wave,
        )
        for number in range(gpus)
    ]
    host = Host(
        cpu=55 + 20 * wave,
        cores=16,
        load=3.1,
        memory_used=int(12.4 * 2**30),
        memory_total=64 * 2**30,
        disk_free=120 * 10**9,
        disk_total=500 * 10**9,
    )
    worker = Worker(pid=4242, cpu=180 + 15 * wave, memory=int(1.4 * 2**30))
    problem = "" if gpus else "no GPU"
    return Telemetry(t=t, gpus=cards, gpu_problem=problem, host=host, worker=worker)


def snapshot(t: float, gpus: int, index: int) -> Snapshot:
    """The same for who looks now."""
    told = machine(t, gpus, index)
    return Snapshot(told.t, told.gpus, told.gpu_problem, told.host)


def marks(id: str, verb: str, step: int, *answers: str) -> list[Record]:
    """The answers to one command."""
    fields = {"kind": "mark", "step": step, "t": NOW, "id": id, "verb": verb}
    return [msgspec.convert({**fields, "answer": answer}, Mark) for answer in answers]


def notice(step: int, text: str) -> Notice:
    return Notice(step=step, t=NOW, text=text)
