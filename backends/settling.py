"""Everything that is settled before the first step: how steps are computed, from which state.

What was chosen once comes from the checkpoint: a resumed training must not choose otherwise.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from backends import checkpoints, precision, seeds
from backends.compilation import Loss, compiled
from backends.feed import Feed
from backends.job import Job
from backends.knobs import ConfigError
from backends.model import Batch
from backends.precision import Numerics
from backends.recipe import TrainConfig
from backends.state import TrainState
from backends.stepper import Stepper

Snapshot = Mapping[str, Any]


def numerics_of(job: Job, feed: Feed, snapshot: Snapshot | None) -> Numerics:
    """How steps are computed: as the checkpoint says, else the fastest way that is allowed.

    Raises:
        ConfigError: the checkpoint is of another version.
    """
    if snapshot is None:
        config = job.config
        first = _first_batch(job, feed)
        return precision.choose(config.precision, job.model, first, config.threads)
    with _fitting():
        return Numerics(**snapshot["numerics"])


def stepper_of(job: Job, feed: Feed, numerics: Numerics) -> Stepper:
    """Steps of the job's model, computed like that."""
    torch.set_num_threads(numerics.threads)
    numerics.place(job.model)
    state = TrainState(job.model, job.config, numerics.precision)
    losses: list[Loss] = [phase.loss for phase in state.phases]
    return Stepper(state, losses, feed, numerics, job.seed)


def restored(state: TrainState, config: TrainConfig, snapshot: Snapshot) -> TrainConfig:
    """Puts the state of a checkpoint in place; the knobs as they were changed before it.

    Raises:
        ConfigError: the checkpoint is of another model or of another version.
    """
    with _fitting():
        state.restore(snapshot)
        return dataclasses.replace(config, **state.overrides)


def compile_losses(stepper: Stepper, config: TrainConfig) -> list[str]:
    """Puts compiled losses in place; the sentence that says why not, if they do not work."""
    batches = [stepper.batches(config, step)[0] for step in (0, 1)]
    stepper.losses, complaint = compiled(stepper.state, batches, stepper.numerics)
    return [complaint] if complaint else []


def _first_batch(job: Job, feed: Feed) -> Batch:
    """What the ways to compute a step are compared on."""
    x, y = feed.batch(0)
    size = len(x) // job.config.accumulate
    noise = seeds.generator(job.seed, 0, "noise", job.device)
    return Batch(x[:size], None if y is None else y[:size], noise)


@contextmanager
def _fitting() -> Iterator[None]:
    """Whatever a checkpoint of another model or of another version lacks is one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = checkpoints.misfit(error)
        raise ConfigError(f"the checkpoint does not fit this model: {reason}") from None
