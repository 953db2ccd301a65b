"""The one loop that trains every model: ``train()`` yields records; testing it is iterating it."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch

from backends import checkpoints, precision, records, samples, seeds
from backends.compilation import Loss, compiled
from backends.data import Dataset, Order
from backends.evaluation import held_batch, validate
from backends.feed import Feed
from backends.knobs import ConfigError, knobs, parse
from backends.model import INPUTS, Batch, Model, RequestError
from backends.pace import Clock, due, learning_rate
from backends.precision import Numerics
from backends.recipe import TrainConfig
from backends.records import Command, Mark, Record, SampleRequest, scalar
from backends.saver import Saved, Saver
from backends.state import TrainState
from backends.stepper import Stepper, check_accumulation

PAUSE_SECONDS = 0.05
"""How often a paused training looks for commands."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to train, on what, and where its files go.

    Attributes:
        inbox: commands that have come since the last call; asked at the end of every step.
        barrier: makes all records durable; called before a checkpoint gets its name.
        meta: kept in every checkpoint, untouched: what is needed to build the model again.
    """

    model: Model
    dataset: Dataset
    config: TrainConfig
    folder: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    inbox: Callable[[], Iterable[Command]] = tuple
    barrier: Callable[[], None] = lambda: None
    meta: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1


class NotFiniteError(ArithmeticError):
    """A term that was NaN or infinite; the message says which and when."""


def train(job: Job) -> Iterator[Record]:
    """Trains from the newest checkpoint in ``job.folder``, or from step 0, to ``steps``.

    Yields the records in the order of what happened; the last one is an End.

    Raises:
        CheckpointError: there are checkpoints and none can be used.
        ConfigError: the checkpoint is of another configuration.
        OSError: a file could not be written.
    """
    check_accumulation(job.config)
    loop = _Loop(job)
    try:
        yield from loop.run()
    except NotFiniteError as error:
        yield loop.end("failed", records.EXIT_NAN, str(error))
    finally:
        loop.close()


@contextmanager
def _fitting() -> Iterator[None]:
    """Whatever a checkpoint of another model or of another version lacks is one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"the checkpoint does not fit this model: {reason}") from None


class _Loop:
    """One attempt."""

    def __init__(self, job: Job) -> None:
        self.job, self.config, self.step = job, job.config, 0
        self.root = job.folder / "checkpoints"
        self.data = job.dataset.to(job.device)
        order = Order(self.data.train, job.config.batch_size, job.seed, job.model.sequential)
        self.feed = Feed(order, job.device)
        self.saver = Saver(self.root, job.config.keep_checkpoints, job.barrier)
        self.bad: tuple[int, str, float] | None = None  # first term that was not finite
        self.warned = False
        self.baselines: Mapping[str, float] | None = None
        self.stop: Command | None = None
        self.clock = Clock()

    def close(self) -> None:
        """Ends the threads that write checkpoints and read data."""
        self.feed.close()
        self.saver.close()

    # ------------------------------------------------------------------ the attempt

    def run(self) -> Iterator[Record]:
        yield from self._prepare()
        yield self._phase("training")
        yield from self._obey()
        while self.step < self.config.steps and self.stop is None:
            self._optimize()
            yield from self._due_records()
            yield from self._obey()
        yield from self._finish()

    def _prepare(self) -> Iterator[Record]:
        """Everything before the first step; what was chosen once comes from the checkpoint."""
        job = self.job
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoints.sweep(self.root)
        yield self._phase("loading the checkpoint")
        found = checkpoints.load_newest(self.root)
        job.model.carry(self.config.batch_size)
        job.model.to(job.device)
        if found is None:
            job.model.observe(held_batch(self.data.validation, INPUTS, job.device))
            yield self._phase("choosing the precision")
        self._settle(found)
        complaints = [*job.dataset.notices, *(found[2] if found else ())]
        if self.config.compile:
            yield self._phase("compiling")
            complaints += self._compile()
        yield self._start()
        for sentence in complaints:
            yield records.Notice(step=self.step, t=time.time(), text=sentence)
        if found is None:
            yield from self._begin()

    def _settle(self, found: tuple[int, Mapping[str, Any], list[str]] | None) -> None:
        if found is not None:
            self.numerics = self._chosen(found[1])
        else:
            self.numerics = precision.choose(
                self.config.precision, self.job.model, self._first_batch(), self.config.threads
            )
        torch.set_num_threads(self.numerics.threads)
        self.numerics.place(self.job.model)
        self.state = TrainState(self.job.model, self.config, self.numerics.precision)
        losses: list[Loss] = [phase.loss for phase in self.state.phases]
        self.stepper = Stepper(self.state, losses, self.feed, self.numerics, self.job.seed)
        if found is not None:
            self._restore(found[1])

    def _first_batch(self) -> Batch:
        """What the ways to compute a step are compared on."""
        x, y = self.feed.batch(0)
        size = len(x) // self.config.accumulate
        noise = seeds.generator(self.job.seed, 0, "noise", self.job.device)
        return Batch(x[:size], None if y is None else y[:size], noise)

    def _compile(self) -> list[str]:
        """Puts compiled losses in place; the sentence that says why not, if they do not work."""
        batches = (self.stepper.batches(self.config, step)[0] for step in (0, 1))
        self.stepper.losses, complaint = compiled(self.state, batches, self.numerics)
        return [complaint] if complaint else []

    def _chosen(self, snapshot: Mapping[str, Any]) -> Numerics:
        with _fitting():
            return Numerics(**snapshot["numerics"])

    def _restore(self, snapshot: Mapping[str, Any]) -> None:
        with _fitting():
            self.state.restore(snapshot)
            self.config = dataclasses.replace(self.config, **self.state.overrides)
        self.step = self.state.step

    def _begin(self) -> Iterator[Record]:
        """Step 0: what untrained weights draw, and a checkpoint that fixes every choice made."""
        if self.config.sample_every:
            yield from self._sample(self._usual_request())
        yield from self._checkpoint()

    def _finish(self) -> Iterator[Record]:
        stop = self.stop
        self.state.release()
        yield from self._checkpoint()
        yield from self._saved(self.saver.wait())
        early = self.step < self.config.steps
        if stop is not None:
            yield self._mark(stop, "done", "the run can be resumed" if early else "it is finished")
        if stop is not None and early:
            yield self.end("stopped", records.EXIT_STOPPED, f"stopped by {stop.by or 'a signal'}")
        else:
            yield self.end("finished", records.EXIT_FINISHED)

    # ------------------------------------------------------------------ one step

    def _optimize(self) -> None:
        with self.clock.step():
            terms = self.stepper.step(self.config, self.step)
            self.step += 1
            self.state.finish_step(self.step, terms, self.config.ema_half_life)

    # ------------------------------------------------------------------ what a step brings

    def _due_records(self) -> Iterator[Record]:
        """Logged point, samples, checkpoint: in this order, so that a checkpoint at a step means
        that everything else of the step is on record."""
        config, step, last = self.config, self.step, self.step == self.config.steps
        log = last or due(step, config.log_every)
        judge = bool(config.validate_every) and (last or due(step, config.validate_every))
        if log or judge:
            yield from self._log(log, judge)
        if config.sample_every and (last or due(step, config.sample_every)):
            yield from self._sample(self._usual_request())
        if not last and (due(step, config.checkpoint_every) or self._checkpoint_is_late()):
            yield from self._checkpoint()
        yield from self._saved(self.saver.done())

    def _log(self, log: bool, judge: bool) -> Iterator[Record]:
        values: dict[str, float] = {}
        rates: dict[str, float] = {}
        if log:
            values = self._read_window()
            values["lr"] = learning_rate(self.config, self.step - 1)
            rates = self.clock.rates(self.config.batch_size, self.feed.take_waited())
        if judge:
            self._catch_up()
            yield self._phase("validating")
            values |= self._validate()
            term = self.job.model.fitted
            if term in values and f"validation/{term}" in values:
                values["gap"] = values[f"validation/{term}"] - values[term]
        yield records.Step(
            step=self.step,
            t=time.time(),
            values={name: scalar(value) for name, value in values.items()},
            rates={name: scalar(value) for name, value in rates.items()},
        )
        if judge:
            yield self._phase("training")
        yield from self._warn()
        self._refuse_bad()

    def _read_window(self) -> dict[str, float]:
        with self.clock.waiting():
            means, bad = self.state.window.drain()
        self.bad = self.bad or bad
        return means

    def _catch_up(self) -> None:
        """Lets the device finish the steps that have begun, so that their time counts as theirs."""
        with self.clock.waiting():
            self.bad = self.bad or self.state.window.first_bad()

    def _refuse_bad(self) -> None:
        if self.bad is None or self.config.nan_policy != "stop":
            self.bad = None
            return
        raise NotFiniteError(
            f"{self._bad_phrase(self.bad)}: the weights went wrong there and were not saved; try a "
            "lower lr or a lower clip_grad"
        )

    def _warn(self) -> Iterator[Record]:
        """Says once an attempt that a term was not finite, where the policy is to go on."""
        if self.bad is None or self.config.nan_policy != "warn" or self.warned:
            return
        self.warned = True
        text = f"{self._bad_phrase(self.bad)}; nan_policy is warn, so the training goes on"
        yield records.Notice(step=self.step, t=time.time(), text=text)

    @staticmethod
    def _bad_phrase(bad: tuple[int, str, float]) -> str:
        step, name, value = bad
        return f"{name} was {scalar(value)} at step {step:,}"

    def _validate(self) -> dict[str, float]:
        terms = validate(
            self.state.sampled,
            self.data.validation,
            self.numerics,
            batch_size=self.config.batch_size,
            batches=self.config.validate_batches,
            seed=self.job.seed,
            progress=self.step / self.config.steps,
        )
        return {f"validation/{name}": value for name, value in terms.items()} | self._compared()

    def _compared(self) -> dict[str, float]:
        """What models without a network reach on this data: lines across the chart."""
        term = self.job.model.compares
        if self.baselines is None:
            self.baselines = self.job.dataset.baselines() if term else {}
        return {f"{name}/{term}": value for name, value in self.baselines.items()}

    def _usual_request(self) -> SampleRequest:
        return SampleRequest(count=self.config.sample_count, seed=self.job.seed)

    def _sample(self, request: SampleRequest, command: str = "") -> Iterator[Record]:
        """Draws and writes samples. The periodic ones always have the same seed."""
        self._catch_up()
        yield self._phase("sampling")
        begin = time.perf_counter()
        drawn = samples.draw(self.state.sampled, request, self.numerics)
        name = f"step-{self.step:06d}" + (f"-{command}" if command else "")
        count = samples.write(self.job.folder / "samples" / name, drawn, request)
        yield records.Sample(
            step=self.step,
            t=time.time(),
            path=f"samples/{name}",
            modality=self.job.model.modality,
            count=count,
            seconds=time.perf_counter() - begin,
            request=request,
            command=command,
        )
        yield self._phase("training")

    # ------------------------------------------------------------------ checkpoints

    def _checkpoint_is_late(self) -> bool:
        minutes = self.config.checkpoint_minutes
        return bool(minutes) and time.monotonic() - self.clock.saved >= 60 * minutes

    def _checkpoint(self, *answers: Mark) -> Iterator[Record]:
        """Begins a checkpoint, unless the weights have gone wrong."""
        self._catch_up()
        yield from self._warn()
        self._refuse_bad()
        yield from self._saved(self.saver.wait())
        yield self._phase("saving")
        snapshot = self.state.snapshot(self.step)
        snapshot["numerics"] = self.numerics.state()
        snapshot["meta"] = dict(self.job.meta)
        self.saver.save(self.step, snapshot, answers)
        self.clock.saved = time.monotonic()
        yield self._phase("training")

    def _saved(self, saved: Saved | None) -> Iterator[Record]:
        if saved is None:
            return
        yield records.Checkpoint(
            step=saved.step,
            t=time.time(),
            path=str(saved.path.relative_to(self.job.folder)),
            bytes=saved.bytes,
            seconds=saved.seconds,
        )
        for answer in saved.answers:
            yield msgspec.structs.replace(answer, step=self.step, t=time.time())

    # ------------------------------------------------------------------ commands

    def _obey(self) -> Iterator[Record]:
        for command in self.job.inbox():
            yield from self._carry_out(command)

    def _carry_out(self, command: Command) -> Iterator[Record]:
        try:
            if command.verb == "set":
                detail = self._set(command)
                yield self._mark(command, "accepted")
                # Done when it would survive a crash; else a restart would go on with the old value.
                yield from self._checkpoint(self._mark(command, "done", detail))
                return
            if command.verb == "sample":
                self.state.sampled.check(self._asked(command))
        except (ConfigError, RequestError) as error:
            yield self._mark(command, "refused", str(error))
            return
        if command.verb == "stop" and self.stop is not None:
            yield self._mark(command, "refused", "it is stopping already")
            return
        detail = f"by {command.by}" if command.verb == "stop" and command.by else ""
        yield self._mark(command, "accepted", detail)
        yield from getattr(self, f"_on_{command.verb}")(command)

    def _on_stop(self, command: Command) -> Iterator[Record]:
        self.stop = command
        yield self._phase("stopping")

    def _on_checkpoint(self, command: Command) -> Iterator[Record]:
        yield from self._checkpoint(self._mark(command, "done"))

    def _on_sample(self, command: Command) -> Iterator[Record]:
        request = self._asked(command)
        try:
            yield from self._sample(request, command.id)
        except torch.OutOfMemoryError:
            sentence = f"there is not enough memory for {request.count} samples: ask for fewer"
            yield self._mark(command, "refused", sentence)
        else:
            yield self._mark(command, "done")

    def _on_resume(self, command: Command) -> Iterator[Record]:
        yield self._mark(command, "done", "it was not paused")

    def _on_pause(self, command: Command) -> Iterator[Record]:
        """Waits between two steps, with the weights in place, until told to go on or to stop."""
        yield self._phase("paused")
        yield self._mark(command, "done")
        while self.stop is None:
            for other in self.job.inbox():
                if other.verb == "resume":
                    yield self._mark(other, "accepted")
                    yield self._mark(other, "done")
                    yield self._phase("training")
                    return
                if other.verb == "pause":
                    yield self._mark(other, "refused", "it is paused already")
                    continue
                yield from self._carry_out(other)
                if self.stop is None:
                    yield self._phase("paused")
            yield from self._saved(self.saver.done())
            time.sleep(PAUSE_SECONDS)

    def _set(self, command: Command) -> str:
        known = {knob.name: knob for knob in knobs(TrainConfig) if knob.live}
        value = parse(known, command.knob, command.value, "a run that trains")
        before = getattr(self.config, command.knob)
        self.state.overrides[command.knob] = value
        self.config = dataclasses.replace(self.config, **{command.knob: value})
        return f"{command.knob} {before} → {value}"

    def _asked(self, command: Command) -> SampleRequest:
        """What a sample command asks for; without a request, fresh samples of the usual number."""
        if command.request is not None:
            return command.request
        return SampleRequest(count=self.config.sample_count, seed=self.job.seed + self.step)

    # ------------------------------------------------------------------ records

    def _start(self) -> Record:
        return records.Start(
            step=self.step,
            t=time.time(),
            attempt=self.job.attempt,
            of=self.config.steps,
            device=str(self.job.device),
            precision=self.numerics.caption,
            parameters=sum(p.numel() for p in self.job.model.parameters()),
            steps_per_epoch=len(self.data.train) / self.config.batch_size,
        )

    def _phase(self, name: str) -> Record:
        return records.Phase(step=self.step, t=time.time(), name=name)

    def _mark(self, command: Command, answer: Any, detail: str = "") -> Mark:
        return Mark(
            step=self.step,
            t=time.time(),
            id=command.id,
            verb=command.verb,
            answer=answer,
            detail=detail,
        )

    def end(self, state: Any, exit_code: int, reason: str = "") -> Record:
        return records.End(
            step=self.step, t=time.time(), state=state, exit_code=exit_code, reason=reason
        )
