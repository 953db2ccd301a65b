"""Orders to a worker, one answer at a time: the test is the keeper and the worker."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec
import pytest
from build_runs import build
from cli_tools import Cli, inside
from waiting import until

from backends import records
from backends.records import Command, Mark, State
from genai_tui import control, liveness, log, progress
from genai_tui.commands import orders
from genai_tui.commands.attend import attend
from genai_tui.errors import UserError
from genai_tui.store import Run, Store, write_atomic

Answer = Literal["accepted", "done", "refused"]


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


@pytest.fixture
def live(store: Store) -> Iterator[Run]:
    """A run whose keeper is this test."""
    run = build(store, "live", telemetry=0, step=20, of=200, state="running")
    fd = liveness.hold_keeper(run.path / "keeper.lock")
    yield run
    os.close(fd)


def test_an_order_is_shown_on_its_way(cli: Cli, live: Run) -> None:
    with _worker(live, "accepted", "done"):
        told = cli("pause", "live")
    assert told.out == "pause requested\n  → accepted at step 20\n  → done at step 21\n"


def test_a_refusal_is_an_error(cli: Cli, live: Run) -> None:
    with _worker(live, "refused"):
        told = cli("pause", "live", "--json")
    told.refused("pause refused by live", "not today")


def test_an_order_that_waits_for_a_long_step(
    cli: Cli, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ANSWER_SECONDS", 0)
    assert "genai-tui watch live" in cli("pause", "live").out
    told = cli("checkpoint", "live", "--json")
    assert (told.status, told.json["answer"]) == (0, "requested")


def test_a_run_that_ends_before_it_answers(
    cli: Cli, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders.time, "sleep", lambda seconds: _finish(live))
    told = cli("pause", "live")
    assert (told.status, told.err) == (1, "genai-tui: run live finished before it could pause\n")


def test_a_training_that_fails_says_why(
    live: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.time, "sleep", lambda seconds: _finish(live, "failed", "no disk"))
    monkeypatch.setattr(progress, "wait_released", lambda run: None)  # this test is the keeper
    with pytest.raises(UserError, match="run live failed at step 20: no disk; see genai-tui logs"):
        attend(live, as_json=True)
    assert json.loads(capsys.readouterr().out)["reason"] == "no disk"


def test_answers_to_others_are_not_ours(cli: Cli, live: Run) -> None:
    with _worker(
        live, "accepted", "done", before=Mark(step=1, t=0, id="x", verb="pause", answer="refused")
    ):
        assert cli("pause", "live", "--json").json["answer"] == "done"


# --------------------------------------------------------------------------- stand-ins


@contextmanager
def _worker(run: Run, *answers: Answer, before: Mark | None = None) -> Iterator[None]:
    """Takes one order and answers it, a step for each answer."""

    def work() -> None:
        order = until(lambda: next(control.take(run.control), None))
        assert isinstance(order, Command)
        writer = log.Log(run.records)
        if before is not None:
            writer.append(before)
        for index, answer in enumerate(answers):
            detail = "not today" if answer == "refused" else ""
            writer.append(
                Mark(
                    step=20 + index, t=0, id=order.id, verb=order.verb, answer=answer, detail=detail
                )  # pyright: ignore[reportArgumentType]
            )
        writer.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def _finish(run: Run, state: State = "finished", reason: str = "") -> None:
    ended = msgspec.structs.replace(run.status(), state=state, reason=reason)
    write_atomic(run.path / "status.json", records.encode(ended))
