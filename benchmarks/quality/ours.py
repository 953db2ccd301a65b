"""Trains a model of ours for a budget, through the real loop, as a user would get it."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec.structs import replace as replace_fields

from backends import catalogue, checkpoints, records, samples
from backends.data import Dataset
from backends.datasets._shape import shape_state
from backends.model import Model
from backends.precision import Numerics
from backends.recipe import TrainConfig
from backends.records import Command, PlanRequest, RunSpec, SampleRequest
from backends.training import Job, train
from benchmarks.quality.budget import Budget
from benchmarks.quality.entrants import Entrant
from benchmarks.quality.trained import Drawn, NotTrainedError, Trained

QUIET = {
    "validate_every": "0",
    "sample_every": "0",
    "checkpoint_every": "0",
    "checkpoint_minutes": "0",
    "keep_checkpoints": "1",
    "threads": "1",
    "validation": "0.001",
}
"""Nothing but training: peers validate and draw nothing either."""

LEGS = (0.04, 0.3, 0.6, 0.85)
"""After these shares of the budget the training stops and goes on, with the number of steps that
then will end it with the budget: a step's price changes with whatever else the machine does."""

ENDLESS = 10**8


def request(entrant: Entrant, data: Path) -> PlanRequest:
    """What the catalogue is asked for."""
    settings = {**QUIET, **entrant.settings}
    return PlanRequest(model=entrant.model, dataset=str(data), settings=settings, device="cpu")


def run(entrant: Entrant, data: Path, folder: Path, budget: Budget, seed: int) -> Trained:
    """Trains ``entrant`` on the IDX folder ``data``; its run's files go to ``folder``.

    Raises:
        NotTrainedError: it cannot be built, or its loss was not finite.
    """
    spec = _spec(entrant, data, seed)
    model, dataset, config = catalogue.open_spec(spec)
    legs = _Legs(spec, model, dataset, config, folder, budget)
    steps = legs.run()
    return _trained(spec, folder, entrant.ask, steps)


def again(entrant: Entrant, data: Path, folder: Path, seed: int, steps: int) -> Trained:
    """What another entrant has trained in ``folder``, to be drawn as ``entrant`` draws.

    Raises:
        NotTrainedError: there is no checkpoint, or it cannot be drawn from that way.
    """
    return _trained(_spec(entrant, data, seed), folder, entrant.ask, steps)


def _spec(entrant: Entrant, data: Path, seed: int) -> RunSpec:
    plan = catalogue.plan(request(entrant, data))
    if plan.error:
        raise NotTrainedError(plan.error)
    return RunSpec(
        id="quality",
        name=entrant.name,
        model=entrant.model,
        seed=seed,
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
        device="cpu",
    )


@dataclass(slots=True)
class _Legs:
    """One training, stopped and resumed where its number of steps is set anew."""

    spec: RunSpec
    model: Model
    dataset: Dataset
    config: TrainConfig
    folder: Path
    budget: Budget

    def run(self) -> int:
        """Trains to the end of the budget; the number of steps."""
        step, of = 0, ENDLESS
        for share in LEGS:
            step, price = self._leg(step, of, share * self.budget.seconds)
            left = self.budget.seconds - self.budget.spent
            of = step + max(1, round(left / price))
        return self._leg(step, of, float("inf"))[0]

    def _leg(self, step: int, of: int, until: float) -> tuple[int, float]:
        """(step that was reached, CPU seconds of a step) when ``until`` seconds are spent."""
        job, begin = self._job(of, until), self.budget.spent
        for record in train(job):
            if isinstance(record, records.Start):
                begin = self.budget.spent
            if isinstance(record, records.End):
                if record.state == "failed":
                    raise NotTrainedError(record.reason)
                taken = record.step - step
                return record.step, (self.budget.spent - begin) / max(1, taken)
        raise NotTrainedError("the training did not say how it ended")

    def _job(self, of: int, until: float) -> Job:
        def inbox() -> list[Command]:
            late = self.budget.spent >= until
            return [Command(id="leg", verb="stop", t=time.time())] if late else []

        return Job(
            model=self.model,
            dataset=self.dataset,
            config=replace(self.config, steps=of),
            folder=self.folder,
            seed=self.spec.seed,
            inbox=inbox,
            meta={"model": self.spec.model, "shape": shape_state(self.dataset.shape)},
        )


def _trained(spec: RunSpec, folder: Path, ask: SampleRequest, steps: int) -> Trained:
    """The averaged weights of the newest checkpoint, as ``genai-tui sample`` would draw them."""
    found = checkpoints.load_newest(folder / "checkpoints")
    if found is None:
        raise NotTrainedError("there is no checkpoint")
    _, snapshot, _ = found
    model, numerics = catalogue.restore(spec, snapshot), Numerics(**snapshot["numerics"])
    numerics.place(model)

    def draw(count: int) -> Drawn:
        drawn = samples.draw(model, replace_fields(ask, count=count, seed=spec.seed), numerics)
        if drawn.images is None:
            raise NotTrainedError("it draws no pictures")
        return Drawn(drawn.images, drawn.labels)

    return Trained(draw, steps, sum(p.numel() for p in model.parameters()), numerics.caption)
