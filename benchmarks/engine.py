"""The engine: the cost of a logged point, the length of a stop, the share taken from training."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from backends import catalogue, precision, records
from backends.data import Order
from backends.model import Batch
from backends.records import PlanRequest, RunSpec
from backends.saver import Saver
from backends.seeds import generator
from backends.state import TrainState, copied
from backends.training import Job, train
from benchmarks import runs
from benchmarks.figures import Figure
from benchmarks.terminal import Terminal
from genai_tui import launch
from genai_tui.log import Log, line
from genai_tui.reporter import Reporter
from genai_tui.store import Run, Store

STEPS, PAIRS = 10, 60
"""Short turns, many times: the machine's speed drifts."""


def measure(folder: Path) -> Iterator[Figure]:
    """Every figure of the engine; ``folder`` is scratch space."""
    yield _log_call(folder)
    yield from _throughput(folder)
    yield _stop(Store(folder / "stop"))
    yield from _checkpoint(folder)


# --------------------------------------------------------------------------- logging


def _log_call(folder: Path) -> Figure:
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "records.jsonl")
    points = [runs.step(number, time.time(), 10) for number in range(4000)]
    ours = _median_us(lambda number: log.append(points[number]), 4000)
    data, fd = line(points[0]), os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    floor = _median_us(lambda _: os.write(fd, data), 4000)
    os.close(fd)
    log.close()
    beside = f"bare write(2) {floor:.1f} µs"
    return Figure("one log call of 10 scalars", ours, "µs", beside, "<= 20 µs", ours <= 20)


def _median_us(call: Callable[[int], object], times: int) -> float:
    seconds: list[float] = []
    for number in range(times):
        begin = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(seconds)


# --------------------------------------------------------------------------- overhead


def _throughput(folder: Path) -> Iterator[Figure]:
    """Steps a CPU second of the bare loop against the loop with everything on, in turn."""
    spec, store = _spec(), Store(folder / "watched")
    run = store.create(spec)
    argv = [sys.executable, "-c", "from genai_tui.cli import main; main()"]
    watched = _Watched(run)
    bare = _bare_steps(spec)
    times: dict[object, list[float]] = {bare: [], watched: []}
    with Terminal([*argv, "--runs", str(store.root), "watch", run.id]) as terminal:
        terminal.listen(2.0)
        for index in range(PAIRS):
            for turn in (bare, watched) if index % 2 else (watched, bare):
                times[turn].append(_block(turn))
            terminal.listen(0.01)
    watched.close()
    floor, ours = (sorted(times[turn][PAIRS // 10 :]) for turn in (bare, watched))
    ratio = statistics.median(floor) / statistics.median(ours)
    yield Figure(
        "training throughput with log, status and an attached studio",
        ratio,
        "x the bare loop",
        f"{floor[0] / ours[0]:.3f} x at their fastest",
        ">= 0.98x",
        ratio >= 0.98,
    )


def _spec() -> RunSpec:
    plan = catalogue.plan(
        PlanRequest(
            model="vae/conv",
            settings={"precision": "float32", "threads": "1", "steps": "100000"}
            | {"sample_every": "0", "validate_every": "0", "checkpoint_every": "0"},
        )
    )
    return RunSpec(
        id="20260101-000000-vae-conv-test",
        name="bench",
        model="vae/conv",
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
        created=time.time(),
    )


def _block(step: Callable[[], None]) -> float:
    """CPU seconds of this process for STEPS steps."""
    begin = time.process_time()
    for _ in range(STEPS):
        step()
    return time.process_time() - begin


def _bare_steps(spec: RunSpec) -> Callable[[], None]:
    """The loop that anybody would write: batch, loss, backward, clip, optimizer, average."""
    model, dataset, config = catalogue.open_spec(spec)
    torch.set_num_threads(1)
    state, order = TrainState(model, config), Order(dataset.train, config.batch_size, spec.seed)
    phase, optimizer = state.phases[0], state.optimizers[0]
    parameters: list[torch.Tensor] = list(model.parameters())
    averages: list[torch.Tensor] = list(state.ema.parameters()) if state.ema is not None else []
    counter = iter(range(10**9))

    def step() -> None:
        number = next(counter)
        model.train()
        x, y = order.batch(number)
        optimizer.zero_grad(set_to_none=True)
        phase.loss(Batch(x, y, generator(0, number, "noise", "cpu"), 0.0))["loss"].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 0.01)  # pyright: ignore[reportPrivateImportUsage]

    return step


class _Watched:
    """The real loop, step by step, with the worker's own reporter behind it."""

    def __init__(self, run: Run) -> None:
        model, dataset, config = catalogue.open_spec(run.spec())
        self._reporter = Reporter(run, config.steps, 1)
        self._stepped = 0
        job = Job(
            model=model,
            dataset=dataset,
            config=config,
            folder=run.path,
            device=precision.device_of("cpu"),
            inbox=self._inbox,
            barrier=self._reporter.sync,
        )
        self._records = train(job)
        self._until(1)

    def __call__(self) -> None:
        """One step; records come only every so many steps, so whole windows are run at once."""
        self._stepped += 1
        if self._stepped % 10 == 0:
            self._until(self._stepped)

    def close(self) -> None:
        self._records.close()  # pyright: ignore[reportAttributeAccessIssue]
        self._reporter.close()

    def _inbox(self) -> tuple[()]:
        return ()

    def _until(self, step: int) -> None:
        for record in self._records:
            self._reporter.record(record)
            if isinstance(record, records.Step) and record.step >= step:
                return


# --------------------------------------------------------------------------- stopping


def _stop(store: Store) -> Figure:
    settings = {"steps": "100000", "precision": "float32", "threads": "1", "sample_every": "0"}
    run = launch.create(store, model="vae/conv", settings=settings)
    launch.start(run)
    _until(lambda: run.status().step >= 20, 60)
    speed = run.status().steps_per_second or float("nan")
    begin = time.perf_counter()
    run.command("stop")
    _until(lambda: run.state() == "stopped", 30)
    seconds = time.perf_counter() - begin
    written = [r for r in run.read().records if isinstance(r, records.Checkpoint)]
    floor = 1 / speed + written[-1].seconds
    return Figure(
        "stop to checkpointed and gone",
        seconds,
        "s",
        f"a step plus the write {floor:.2f} s",
        "one step + write",
        seconds <= floor + 0.5,
        "the inbox is looked into 10 times a second",
    )


def _until(true: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("the run did not get there")
        time.sleep(0.01)


# --------------------------------------------------------------------------- checkpoints

SAVES = 7
WIDTH, LAYERS = 1024, 12
"""About 12.6 million weights, with their average and two moments: 200 MB."""


def _checkpoint(folder: Path) -> Iterator[Figure]:
    """How long a step waits for a checkpoint: for the copy, for all of ours, for PyTorch's."""
    root = folder / "checkpoints"
    root.mkdir(parents=True)
    model = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, WIDTH)).sum().backward()
    optimizer.step()
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "ema": {name: value.clone() for name, value in model.state_dict().items()},
        "optimizers": [optimizer.state_dict()],
        "loop": {"step": 0},
    }
    saver = Saver(root, 2, lambda: None, lambda folder: None)
    blocked: dict[str, list[float]] = {"ours": [], "waited for": [], "torch": []}
    for number in range(SAVES):
        begin = time.perf_counter()
        saver.save(number, copied(state))
        blocked["ours"].append(time.perf_counter() - begin)
        saver.wait()
        blocked["waited for"].append(time.perf_counter() - begin)
        blocked["torch"].append(_torch_save(state, folder / f"torch-{number}.pt"))
    saver.close()
    copy, whole, theirs = (statistics.median(blocked[way]) for way in blocked)
    yield Figure(
        "a step waits for a checkpoint of 200 MB",
        copy,
        "s",
        f"a blocking save {whole:.2f} s, torch.save and fsync {theirs:.2f} s",
        "<= a half of either",
        copy <= 0.5 * min(whole, theirs),
        "the rest is written, flushed and hashed by a thread",
    )


def _torch_save(state: object, path: Path) -> float:
    begin = time.perf_counter()
    with path.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    path.unlink()
    return seconds
