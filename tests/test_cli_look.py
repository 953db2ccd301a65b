"""The verbs that look at runs and at what can be picked: tables, facts, logs; and ``delete``."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_runs import build
from cli_tools import Cli, Outcome, inside
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backends.records import Start, Step
from genai_tui import liveness, log
from genai_tui.commands import listing, logs, show
from genai_tui.store import Run, Store


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


@pytest.fixture
def finished(store: Store) -> Run:
    return build(store, "shoes", telemetry=0, step=200, of=200, samples_every=100, seed=1)


@pytest.fixture
def training(store: Store) -> Iterator[Run]:
    """A run whose keeper is this test."""
    run = build(store, "live", telemetry=0, step=20, of=200, state="running", seed=2)
    fd = liveness.hold_keeper(run.path / "keeper.lock")
    yield run
    os.close(fd)


# --------------------------------------------------------------------------- lists


def test_no_runs_yet(cli: Cli, store: Store) -> None:
    assert "genai-tui demo" in cli("runs").out
    assert cli("runs", "--json").json == []
    assert not store.root.exists()


def test_runs_as_a_table(cli: Cli, finished: Run, training: Run) -> None:
    titles, *rows = cli("runs").out.splitlines()
    assert titles.split()[:4] == ["state", "name", "model", "data"]
    assert [row.split()[1:3] for row in rows] == [["running", "live"], ["finished", "shoes"]]
    assert "20/200" in rows[0]


def test_runs_as_json(cli: Cli, store: Store, finished: Run, training: Run) -> None:
    (store.root / "wreck").mkdir()
    told = cli("runs", "--json").json
    assert [(run["name"], run["state"]) for run in told] == [
        ("wreck", "broken"),
        ("live", "running"),
        ("shoes", "finished"),
    ]
    assert {"id", "model", "dataset", "step", "of", "eta", "loss", "path"} <= set(told[1])


def test_a_broken_run_is_told_beside_the_good_ones(cli: Cli, store: Store, finished: Run) -> None:
    (store.root / "wreck").mkdir()
    told = cli("runs")
    assert told.status == 0
    assert "shoes" in told.out
    assert "wreck is broken" in told.err
    cli("show", "wreck").refused(status=1)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
def test_the_table_fits(store: Store, finished: Run, training: Run, width: int) -> None:
    lines = listing.table(store.summaries(), width)
    assert all(cell_len(line) <= width for line in lines)
    assert "finished" in lines[2]


@given(st.lists(st.floats(), max_size=40), st.integers(1, 20))
def test_a_sparkline_fits(values: list[float], width: int) -> None:
    assert len(listing.sparkline(values, width)) <= width


def test_models_and_their_knobs(cli: Cli) -> None:
    told = {model["name"]: model for model in cli("models", "--json").json}
    latent = next(knob for knob in told["vae/conv"]["knobs"] if knob["name"] == "latent")
    assert (latent["kind"], latent["low"], latent["high"]) == ("int", 2, 512)
    assert latent["default"] >= 2
    listed = cli("models").out
    assert all(name in listed for name in told)
    assert "a whole number from 2 to 512" in listed
    assert "learning rate" in cli("models", "vae/conv").out
    assert [model["name"] for model in cli("models", "vae/conv", "--json").json] == ["vae/conv"]
    cli("models", "vae/cnv").refused("vae/cnv", "vae/conv")


def test_datasets(cli: Cli) -> None:
    told = {entry["name"]: entry for entry in cli("datasets", "--json").json}
    assert told["fashion-mini"]["embedded"]
    assert told["image-folder"]["needs_path"]
    assert all(name in cli("datasets").out for name in told)


# --------------------------------------------------------------------------- one run


def test_show(cli: Cli, finished: Run) -> None:
    told = cli("show", "shoes").out
    for words in ("shoes", finished.id, "finished", "vae/conv", "200/200 (100 %)", "grad_norm"):
        assert words in told
    told = cli("show", "latest", "--json").json
    assert told["spec"]["model"] == "vae/conv"
    assert told["status"]["state"] == "finished"
    assert [kept["step"] for kept in told["samples"]] == [0, 100, 200]
    assert told["scalars"]["loss"] > 0
    assert told["checkpoints"] == []


def test_show_lists_checkpoints_with_their_bytes(cli: Cli, finished: Run) -> None:
    folder = finished.path / "checkpoints" / "step-000100"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(1000))
    assert cli("show", "shoes", "--json").json["checkpoints"] == [
        {"step": 100, "path": str(folder), "bytes": 1000}
    ]


def test_last_scalars_forget_what_an_attempt_dropped(finished: Run) -> None:
    writer = log.Log(finished.records)
    writer.append(Start(step=100, t=0, attempt=2, of=200))
    writer.append(Step(step=110, t=0, values={"loss": 0.5, "kl": "NaN"}))
    writer.close()
    scalars = show.last_scalars(finished)
    assert (scalars["loss"], scalars["kl"]) == (0.5, "NaN")
    assert "grad_norm" not in scalars


def test_logs_are_made_visible(cli: Cli, finished: Run) -> None:
    finished.console.write_bytes(b"one\r\n\x1b]0;evil\x07 two\xff\tend\nno newline")
    told = cli("logs", "shoes")
    assert told.out == "one\n·]0;evil· two�    end\nno newline\n"
    assert cli("logs", "shoes", "--follow").out == told.out


def test_logs_follow_until_the_run_ends(monkeypatch: pytest.MonkeyPatch, finished: Run) -> None:
    """The worker prints a line whenever the reader has waited for it."""
    states = iter(["running"] * 4 + ["finished"] * 2)
    monkeypatch.setattr(Run, "state", lambda run: next(states))
    monkeypatch.setattr(logs.time, "sleep", lambda seconds: _append(finished.console, "more\n"))
    finished.console.write_text("first\nha")
    assert list(logs.lines(finished, follow=True)) == ["first", "hamore", "more"]


def test_a_run_that_printed_nothing(cli: Cli, finished: Run) -> None:
    finished.console.unlink()
    assert cli("logs", "shoes") == Outcome(0, "", "shoes has printed nothing\n")


def test_delete_asks_where_it_can(cli: Cli, finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("delete", "shoes").refused("--yes")
    monkeypatch.setattr(sys, "stdin", _Terminal("n\n"))
    told = cli("delete", "shoes")
    assert "kB in" in told.err
    assert "kept" in told.out
    assert finished.path.exists()
    monkeypatch.setattr(sys, "stdin", _Terminal("y\n"))
    assert "deleted" in cli("delete", "shoes").out
    assert not finished.path.exists()


def test_delete_for_scripts_and_of_wrecks(cli: Cli, store: Store, finished: Run) -> None:
    (finished.path / "run.json").write_text("{")
    assert cli("delete", finished.id, "--yes").status == 0
    assert store.runs() == []


def test_a_name_reaches_the_terminal_only_made_visible(cli: Cli, store: Store) -> None:
    evil = "\x1b[31mred\x9b\u202e[bold]"
    build(store, evil, model="\x1bmodel", telemetry=0, step=20, of=20)
    for words in (["runs"], ["show", "latest"], ["runs", "--json"], ["show", "latest", "--json"]):
        said = cli(*words).out
        assert said.replace("\n", "").isprintable()
        assert "[bold]" in said  # and no markup
    assert cli("runs", "--json").json[0]["name"] == evil


# --------------------------------------------------------------------------- stand-ins


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)
