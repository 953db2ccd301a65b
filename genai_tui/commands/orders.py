"""``pause``, ``resume``, ``checkpoint``, ``set``, ``stop``: orders to a worker, and its answers."""

import time
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from backends.records import Command, Mark, Verb
from genai_tui import progress
from genai_tui.commands.options import AsJson, RunName, hint, run_of, store_of
from genai_tui.commands.output import busy, document, say, tell
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import LIVE, Run, Store
from genai_tui.visible import visible

POLL_SECONDS = 0.05
ANSWER_SECONDS = 30.0
"""A worker looks for orders after each step; a longer step than this is not waited for."""

Answer = Literal["requested", "accepted", "done", "refused", "started"]


def pause(context: typer.Context, run: RunName, as_json: AsJson = False) -> None:
    """Pause a training between two steps; its weights stay in memory."""
    order(run_of(context, run), "pause", as_json)


def checkpoint(context: typer.Context, run: RunName, as_json: AsJson = False) -> None:
    """Write a checkpoint now."""
    order(run_of(context, run), "checkpoint", as_json)


def resume(
    context: typer.Context,
    run: RunName = "",
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Train up to this step; else up to the last target."),
    ] = None,
    interrupted: Annotated[
        bool,
        typer.Option("--interrupted", help="All runs that a reboot or a crash has interrupted."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a paused, stopped, crashed or finished run.

    A run that has ended starts again from its newest checkpoint.
    """
    if interrupted:
        if run or steps is not None:
            raise UserError("--interrupted takes neither RUN nor --steps", status=MISUSE)
        _restart_interrupted(store_of(context), as_json)
        return
    if not run:
        raise UserError("resume needs RUN, or --interrupted for all of those", status=MISUSE)
    found = run_of(context, run)
    if found.state() != "paused":
        _restart(found, steps, as_json)
    elif steps is None:
        order(found, "resume", as_json)
    else:
        sentence = f"run {found.label} is paused: --steps needs a run that has ended"
        raise UserError(sentence, status=MISUSE)


def set_knob(
    context: typer.Context,
    run: RunName,
    assignment: Annotated[
        str, typer.Argument(metavar="KNOB=VALUE", help="A knob that genai-tui models calls live.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change a knob while the run trains, such as lr."""
    knob, equals, value = (part.strip() for part in assignment.partition("="))
    if not equals or not knob:
        sentence = f"set takes KNOB=VALUE, as in lr=1e-4, not {assignment!r}"
        raise UserError(sentence, status=MISUSE)
    order(run_of(context, run), "set", as_json, knob, value)


def stop(
    context: typer.Context,
    run: RunName,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until it has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a training after its step, with a checkpoint, so that it can be resumed."""
    found = run_of(context, run)
    found.command("stop")
    if not no_wait:
        _wait_for_end(found)
    _tell_stop(found, as_json)


# --------------------------------------------------------------------------- an order's way


def order(run: Run, verb: Verb, as_json: bool, knob: str = "", value: str = "") -> None:
    """Sends an order and shows how it fares.

    Raises:
        UserError: the run cannot take it, or the worker refused.
    """
    offset = _end_of_log(run)
    command = run.command(verb, knob=knob, value=value if knob else None)
    last: Mark | None = None
    _step_of(as_json, f"{verb} requested")
    for mark in marks(run, command, offset, ANSWER_SECONDS):
        last = mark
        if mark.answer == "refused":
            raise UserError(f"{verb} refused by {run.label}: {mark.detail}", status=MISUSE)
        detail = f": {visible(mark.detail)}" if mark.detail else ""
        _step_of(as_json, f"  → {mark.answer} at step {mark.step:,}{detail}")
    if last is None and run.state() not in LIVE:
        raise UserError(f"run {run.label} {run.state()} before it could {verb}")
    if last is None or last.answer != "done":
        _step_of(as_json, f"  it will answer after its step; see: {hint('watch', run)}")
    if as_json:
        _document(run, last.answer if last else "requested", last)


def marks(run: Run, command: Command, offset: int, seconds: float) -> Iterator[Mark]:
    """The answers to a command, until it is done or refused, the run ends, or time is up."""
    until = time.monotonic() + seconds
    while True:
        live = run.state() in LIVE
        chunk = run.read(offset)
        offset = chunk.offset
        for mark in chunk.records:
            if isinstance(mark, Mark) and mark.id == command.id:
                yield mark
                if mark.answer != "accepted":
                    return
        if not chunk.more:
            if not live or time.monotonic() > until:
                return
            time.sleep(POLL_SECONDS)


def _end_of_log(run: Run) -> int:
    try:
        return run.records.stat().st_size
    except FileNotFoundError:
        return 0


def _restart(run: Run, steps: int | None, as_json: bool) -> None:
    from genai_tui import launch

    launch.resume(run, steps)
    status = run.status()
    if as_json:
        _document(run, "started", None)
        return
    say(f"{run.label} goes on from step {status.step:,} to {status.of:,}.")
    say(f"  watch it  {hint('watch', run)}")


def _restart_interrupted(store: Store, as_json: bool) -> None:
    """Resumes every interrupted run, the oldest first; one that cannot does not stop the others.

    Raises:
        UserError: some could not be resumed; the sentence names them.
    """
    from genai_tui import launch

    found = [run for run in reversed(store.summaries()) if run.state == "interrupted"]
    resumed: list[Run] = []
    failed: list[str] = []
    for run in (Run(store.root / summary.id) for summary in found):
        try:
            launch.resume(run, None)
        except UserError as error:
            failed.append(f"{run.label}: {error}")
        else:
            resumed.append(run)
            _step_of(as_json, f"{run.label} goes on from step {run.status().step:,}.")
    if as_json:
        document([{"id": run.id, "name": run.name, "state": run.state()} for run in resumed])
    elif not found:
        say("No run is interrupted.")
    if failed:
        raise UserError(f"{len(failed)} of {len(found)} not resumed: {'; '.join(failed)}")


# --------------------------------------------------------------------------- the end of a run


def _wait_for_end(run: Run) -> None:
    try:
        with busy(f"{run.label} finishes its step and writes a checkpoint"):
            while run.state() in LIVE:
                time.sleep(POLL_SECONDS)
            progress.wait_released(run)
    except KeyboardInterrupt:
        tell(f"{run.label} stops all the same, after its step.")
        raise


def _tell_stop(run: Run, as_json: bool) -> None:
    status = run.status()
    state = run.state(status)
    if state == "failed":
        raise UserError(f"run {run.label} failed at step {status.step:,}: {status.reason}")
    if as_json:
        _document(run, "requested" if state in LIVE else "done", None)
    elif state in LIVE:
        say(f"{run.label} stops after its step.")
    else:
        saved = run.checkpoint_steps()
        safe = f"safe up to step {saved[-1]:,}" if saved else "there is no checkpoint"
        say(f"{run.label} {state} at step {status.step:,}; {safe}.")
        say(f"  go on     {hint('resume', run)}")


def _step_of(as_json: bool, text: str) -> None:
    if not as_json:
        say(text)


def _document(run: Run, answer: Answer, mark: Mark | None) -> None:
    status = run.status()
    document(
        {
            "id": run.id,
            "name": run.name,
            "state": run.state(status),
            "step": mark.step if mark else status.step,
            "of": status.of,
            "checkpoint": status.checkpoint,
            "answer": answer,
            "detail": mark.detail if mark else status.reason,
        }
    )
