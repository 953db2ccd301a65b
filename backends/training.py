"""The one loop that trains every model: ``train()`` yields records; testing it is iterating it."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from torch import Tensor

from backends import checkpoints, memory, records, samples
from backends.archive import Archive
from backends.counting import Counting, told_to
from backends.data import Order
from backends.evaluation import held_batch, validate
from backends.feed import Feed
from backends.finite import Finiteness, NotFiniteError, SpoiltError
from backends.histograms import histograms
from backends.job import Job
from backends.memory import MemoryFullError, fitted
from backends.model import INPUTS
from backends.obeying import obey
from backends.pace import Clock, due, learning_rate
from backends.ranking import Ranking
from backends.records import Command, Mark, Phase, Record, SampleRequest, scalar
from backends.recovery import halve_batches, skip_batch
from backends.settling import compile_losses, numerics_of, restored, stepper_of
from backends.stepper import Stepper, check_accumulation
from backends.watching import watched_by

__all__ = ["Job", "NotFiniteError", "train"]

T = TypeVar("T")


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
        yield from loop.settled()
        yield loop.end("failed", records.EXIT_NAN, str(error))
    except (MemoryError, RuntimeError) as error:
        if not memory.is_full(error):
            raise
        yield from loop.settled()
        yield loop.end("failed", records.EXIT_FAILED, memory.told(error, loop.doing))
    finally:
        loop.close()


class _Loop:
    """One attempt."""

    stepper: Stepper

    def __init__(self, job: Job) -> None:
        self.job, self.config, self.step = job, job.config, 0
        self.data = job.dataset.to(job.device)
        order = Order(self.data.train, job.config.batch_size, job.seed, job.model.sequential)
        self.feed = Feed(order, job.device)
        self.archive = Archive(job)
        self.root = self.archive.root
        self.finite = Finiteness(job.config.nan_policy)
        self.ranking = Ranking(job.config.keep_best)
        self.baselines: Mapping[str, float] | None = None
        self.stop: Command | None = None
        self.complaints: list[str] = []
        self.doing = ""
        self.clock = Clock()

    def close(self) -> None:
        """Ends the threads that write checkpoints and read data."""
        self.feed.close()
        self.archive.close()

    # ------------------------------------------------------------------ the attempt

    def run(self) -> Iterator[Record]:
        yield from self._prepare()
        while True:
            try:
                yield from self._go_on()
            except NotFiniteError as error:
                yield from skip_batch(self, error)
            except MemoryFullError as error:
                yield from halve_batches(self, error)
            else:
                return

    def _go_on(self) -> Iterator[Record]:
        """From where it is to the end."""
        yield self.phase("training")
        yield from obey(self)
        while self.step < self.config.steps and self.stop is None:
            self._optimize()
            yield from self._due_records()
            yield from obey(self)
        yield from self._finish()

    def _prepare(self) -> Iterator[Record]:
        """Everything before the first step."""
        job = self.job
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoints.sweep(self.root)
        samples.sweep(job.folder / "samples")
        yield self.phase("loading the checkpoint")
        found = checkpoints.load_newest(self.root)
        job.model.carry(self.config.batch_size)
        job.model.to(job.device)
        if found is None:
            job.model.observe(held_batch(self.data.validation, INPUTS, job.device))
            yield self.phase("choosing the precision")
        self._settle(found[1] if found else None)
        self.complaints += [*job.dataset.notices, *(found[2] if found else ())]
        yield from self.recompiled()
        yield self.begun()
        yield from self.complained()
        if found is None:
            yield from self._begin()

    def _settle(self, snapshot: Mapping[str, Any] | None) -> None:
        choosing = partial(numerics_of, self.job, self.feed, snapshot)
        self.numerics = self._followed("choosing the precision", choosing)
        self.stepper = stepper_of(self.job, self.feed, self.numerics)
        self.state = self.stepper.state
        if snapshot is not None:
            self.restore(snapshot)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes the steps from a checkpoint on; a knob that was turned since stays turned."""
        turned = dict(self.state.overrides)
        config = restored(self.state, self.config, snapshot)
        self.state.overrides |= turned
        self.config = dataclasses.replace(config, **turned)
        self.step = self.state.step
        self.finite.forget()
        self.clock = Clock()

    def recompiled(self) -> Iterator[Record]:
        """Compiles the losses, where that is wanted, for batches as they come from now on."""
        if self.config.compile:
            yield self.phase("compiling")
            compiling = partial(compile_losses, self.stepper, self.config)
            self.complaints += self._followed("compiling", compiling)

    def _begin(self) -> Iterator[Record]:
        """Step 0: what untrained weights draw, and a checkpoint that fixes every choice made."""
        if self.config.sample_every:
            yield from self.sample(self._usual_request())
        yield from self.checkpoint()

    def _finish(self) -> Iterator[Record]:
        stop = self.stop
        self.state.release()
        yield from self.checkpoint(last=True)
        early = self.step < self.config.steps
        if stop is not None:
            yield self.mark(stop, "done", "the run can be resumed" if early else "it is finished")
        if stop is not None and early:
            yield self.end("stopped", records.EXIT_STOPPED, f"stopped by {stop.by or 'a signal'}")
        else:
            yield self.end("finished", records.EXIT_FINISHED)

    # ------------------------------------------------------------------ one step

    def _optimize(self) -> None:
        with self.clock.step():
            terms = fitted(self._terms)
            self.step += 1
            self.state.finish_step(self.step, terms, self.config.ema_half_life)

    def _terms(self) -> dict[str, Tensor]:
        if self.step + 1 in self.state.skips:
            return {}
        return self.stepper.step(self.config, self.step)

    # ------------------------------------------------------------------ what a step brings

    def _due_records(self) -> Iterator[Record]:
        """Logged point, histograms, samples, checkpoint: in this order, so that a checkpoint at a
        step means that everything else of the step is on record."""
        config, step, last = self.config, self.step, self.step == self.config.steps
        log = last or due(step, config.log_every)
        judge = bool(config.validate_every) and (last or due(step, config.validate_every))
        if log or judge:
            yield from self._log(log, judge)
        if due(step, config.histogram_every):
            self._catch_up()
            yield from histograms(self.job.model, step)
        if config.sample_every and (last or due(step, config.sample_every)):
            with suppress(SpoiltError):  # it was warned of, and that is all that is wanted
                yield from self.sample(self._usual_request())
        wanted = due(step, config.checkpoint_every) or self._checkpoint_is_late()
        if not last and (wanted or self._is_best()):
            yield from self.checkpoint()
        yield from self.saved_meanwhile()

    def _log(self, log: bool, judge: bool) -> Iterator[Record]:
        values: dict[str, float] = {}
        rates: dict[str, float] = {}
        if log:
            values = self._read_window()
            values["lr"] = learning_rate(self.config, self.step - 1)
            rates = self.clock.rates(self.config.batch_size, self.feed.take_waited())
        if judge:
            self._catch_up()
            yield self.phase("validating")
            values |= self._followed("validating", self._validate)
            term = self.job.model.fitted
            if term in values and f"validation/{term}" in values:
                values["gap"] = values[f"validation/{term}"] - values[term]
            self.state.best = self.ranking.better(self.state.best, self.step, values)
        yield records.Step(
            step=self.step,
            t=time.time(),
            values={name: scalar(value) for name, value in values.items()},
            rates={name: scalar(value) for name, value in rates.items()},
        )
        if judge:
            complaint = self.ranking.complaint(values)
            self.complaints += [complaint] if complaint else []
            yield from self.complained()
            yield self.phase("training")
        yield from self.finite.warn(self.step)
        self.finite.refuse()

    def _read_window(self) -> dict[str, float]:
        with self.clock.waiting():
            means, bad = self.state.window.drain()
        self.finite.note(bad)
        return means

    def _catch_up(self) -> None:
        """Lets the device finish the steps that have begun, so that their time counts as theirs."""
        with self.clock.waiting():
            self.finite.note(self.state.window.first_bad())

    def _judge_weights(self) -> Iterator[Record]:
        """Warns of weights that went wrong, or refuses to go on with them."""
        self._catch_up()
        bad = self.state.bad_weight()
        self.finite.note(bad and (self.step, *bad))
        yield from self.finite.warn(self.step)
        self.finite.refuse()

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

    def sample(self, request: SampleRequest, command: str = "") -> Iterator[Record]:
        """Draws and writes samples. The periodic ones always have the same seed."""
        yield from self._judge_weights()
        if self.state.bad_weight():
            raise SpoiltError("the weights are no numbers any more: there is nothing to draw")
        yield self.phase("sampling")
        begin = time.perf_counter()
        with watched_by(Counting(request.count)):
            drawing = partial(samples.draw, self.state.sampled, request, self.numerics)
            drawn = self._followed("sampling", drawing)
        name = f"step-{self.step:06d}" + (f"-{command}" if command else "")
        count = samples.write(
            self.job.folder / "samples" / name, drawn, request, finish=self.job.finish
        )
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
        yield self.phase("training")

    # ------------------------------------------------------------------ checkpoints

    def _is_best(self) -> bool:
        return self.state.best is not None and self.state.best[0] == self.step

    def _checkpoint_is_late(self) -> bool:
        minutes = self.config.checkpoint_minutes
        return bool(minutes) and time.monotonic() - self.clock.saved >= 60 * minutes

    def checkpoint(self, *answers: Mark, last: bool = False) -> Iterator[Record]:
        """Begins a checkpoint, unless the weights have gone wrong; the last one is waited for."""
        self.archive.owe(answers)
        yield from self._judge_weights()
        yield self.phase("saving")
        yield from self.settled()
        self._begin_checkpoint()
        if not last:
            yield self.phase("training")
            return
        yield from self.settled()
        while self.archive.failed:  # until it is whole, or the archive has had enough
            self._begin_checkpoint()
            yield from self.settled()

    def _begin_checkpoint(self) -> None:
        snapshot = self.state.snapshot(self.step)
        snapshot["numerics"] = self.numerics.state()
        snapshot["meta"] = dict(self.job.meta)
        self.archive.begin(self.step, snapshot, self.state.best and self.state.best[0])
        self.clock.saved = time.monotonic()

    def settled(self) -> Iterator[Record]:
        """The checkpoint that is under way, once it is whole."""
        yield from self.archive.settled(self.step)

    def saved_meanwhile(self) -> Iterator[Record]:
        """The checkpoint that has become whole since the last look."""
        yield from self.archive.meanwhile(self.step)

    # ------------------------------------------------------------------ records

    def begun(self, note: str = "") -> Record:
        """From where steps are taken from now on; ``note`` says why it is not from where it was."""
        return records.Start(
            step=self.step,
            t=time.time(),
            attempt=self.job.attempt,
            of=self.config.steps,
            device=str(self.job.device),
            precision=self.numerics.caption,
            parameters=sum(p.numel() for p in self.job.model.parameters()),
            steps_per_epoch=len(self.data.train) / self.config.batch_size,
            note=note,
        )

    def complained(self) -> Iterator[Record]:
        """What the user should know, once."""
        for sentence in self.complaints:
            yield records.Notice(step=self.step, t=time.time(), text=sentence)
        self.complaints = []

    def phase(self, name: str, done: int = 0, of: int = 0) -> Phase:
        self.doing = name
        return Phase(step=self.step, t=time.time(), name=name, done=done, of=of)

    def _followed(self, name: str, work: Callable[[], T]) -> T:
        """Does a long work, and says meanwhile how far it is."""
        with told_to(lambda done, of: self.job.progress(self.phase(name, done, of))):
            return work()

    def mark(self, command: Command, answer: Any, detail: str = "") -> Mark:
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
