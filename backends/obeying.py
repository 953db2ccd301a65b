"""What a training does when it is told to: stop, pause, save, draw, change a knob."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from backends import memory
from backends.job import Job
from backends.knobs import ConfigError, knobs, parse
from backends.model import RequestError
from backends.recipe import TrainConfig
from backends.records import Command, Mark, Record, SampleRequest
from backends.state import TrainState

PAUSE_SECONDS = 0.05
"""How often a paused training looks for commands."""


class Loop(Protocol):
    """What commands need of a training."""

    job: Job
    config: TrainConfig
    state: TrainState
    step: int
    stop: Command | None

    def phase(self, name: str) -> Record: ...
    def mark(self, command: Command, answer: str, detail: str = "") -> Mark: ...
    def checkpoint(self, *answers: Mark) -> Iterator[Record]: ...
    def sample(self, request: SampleRequest, command: str = "") -> Iterator[Record]: ...
    def saved_meanwhile(self) -> Iterator[Record]: ...


def obey(loop: Loop) -> Iterator[Record]:
    """Carries out all commands that have come, each answered by marks."""
    for command in loop.job.inbox():
        yield from _carry_out(loop, command)


def _carry_out(loop: Loop, command: Command) -> Iterator[Record]:
    try:
        if command.verb == "set":
            detail = _set(loop, command)
            yield loop.mark(command, "accepted")
            # Done when it would survive a crash; else a restart would go on with the old value.
            yield from loop.checkpoint(loop.mark(command, "done", detail))
            return
        if command.verb == "sample":
            loop.state.sampled.check(_asked(loop, command))
    except (ConfigError, RequestError) as error:
        yield loop.mark(command, "refused", str(error))
        return
    if command.verb == "stop" and loop.stop is not None:
        yield loop.mark(command, "refused", "it is stopping already")
        return
    detail = f"by {command.by}" if command.verb == "stop" and command.by else ""
    yield loop.mark(command, "accepted", detail)
    yield from _VERBS[command.verb](loop, command)


def _stop(loop: Loop, command: Command) -> Iterator[Record]:
    loop.stop = command
    yield loop.phase("stopping")


def _checkpoint(loop: Loop, command: Command) -> Iterator[Record]:
    yield from loop.checkpoint(loop.mark(command, "done"))


def _sample(loop: Loop, command: Command) -> Iterator[Record]:
    request = _asked(loop, command)
    try:
        yield from loop.sample(request, command.id)
    except RequestError as error:
        yield loop.mark(command, "refused", str(error))
    except (MemoryError, RuntimeError) as error:
        if not memory.is_full(error):
            raise
        sentence = f"there is not enough memory for {request.count} samples: ask for fewer"
        yield loop.mark(command, "refused", sentence)
    else:
        yield loop.mark(command, "done")


def _resume(loop: Loop, command: Command) -> Iterator[Record]:
    yield loop.mark(command, "done", "it was not paused")


def _pause(loop: Loop, command: Command) -> Iterator[Record]:
    """Waits between two steps, with the weights in place, until told to go on or to stop."""
    yield loop.phase("paused")
    yield loop.mark(command, "done")
    while loop.stop is None:
        for other in loop.job.inbox():
            if other.verb == "resume":
                yield loop.mark(other, "accepted")
                yield loop.mark(other, "done")
                yield loop.phase("training")
                return
            if other.verb == "pause":
                yield loop.mark(other, "refused", "it is paused already")
                continue
            yield from _carry_out(loop, other)
            if loop.stop is None:
                yield loop.phase("paused")
        yield from loop.saved_meanwhile()
        time.sleep(PAUSE_SECONDS)


_VERBS: dict[str, Callable[[Loop, Command], Iterator[Record]]] = {
    "stop": _stop,
    "checkpoint": _checkpoint,
    "sample": _sample,
    "resume": _resume,
    "pause": _pause,
}


def _set(loop: Loop, command: Command) -> str:
    known = {knob.name: knob for knob in knobs(TrainConfig) if knob.live}
    value = parse(known, command.knob, command.value, "a run that trains")
    before = getattr(loop.config, command.knob)
    loop.state.overrides[command.knob] = value
    loop.config = dataclasses.replace(loop.config, **{command.knob: value})
    return f"{command.knob} {before} → {value}"


def _asked(loop: Loop, command: Command) -> SampleRequest:
    """What a sample command asks for; without a request, fresh samples of the usual number."""
    if command.request is not None:
        return command.request
    return SampleRequest(count=loop.config.sample_count, seed=loop.job.seed + loop.step)
