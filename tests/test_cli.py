"""The command line as a whole: help, words, completion; no terminal, no reader."""

import json
import os
from typing import Any

import pytest
from build_runs import build
from cli_tools import Cli, inside, outside
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.cli import GLOBALS, main, split_globals
from genai_tui.commands import completion
from genai_tui.commands.output import ReaderGoneError, put
from genai_tui.commands.sample import labels_of
from genai_tui.commands.train import settings_of
from genai_tui.errors import UserError
from genai_tui.store import Run, Store

VERBS = """
demo train models datasets runs show watch logs gpus pause resume checkpoint set stop
sample export delete
"""
CLASSES = ["T-shirt/top", "Trouser", "3", "Bag"]
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="="), max_size=12)


@pytest.fixture
def cli(store: Store, capsys: pytest.CaptureFixture[str]) -> Cli:
    return inside(store, capsys)


@pytest.fixture
def finished(store: Store) -> Run:
    return build(store, "shoes", telemetry=0, step=200, of=200, samples_every=100, seed=1)


# --------------------------------------------------------------------------- help


def test_help_reads_like_a_manual(cli: Cli) -> None:
    told = cli("--help")
    assert told.status == 0
    for words in ("Examples", "Exit status", "GENAI_TUI_RUNS", "--graphics", *VERBS.split()):
        assert words in told.out


@pytest.mark.parametrize("verb", VERBS.split())
def test_every_verb_explains_itself(cli: Cli, verb: str) -> None:
    told = cli(verb, "--help")
    assert told.status == 0
    assert f"genai-tui {verb}" in told.out
    assert "Examples" in told.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out.startswith("genai-tui ")


# --------------------------------------------------------------------------- no terminal, no reader


def test_the_studio_needs_a_terminal(cli: Cli, finished: Run) -> None:
    cli().refused("needs a terminal", "genai-tui runs")
    cli("watch", "shoes").refused("needs a terminal", f"genai-tui show {finished.id}")
    cli("watch", str(finished.path)).refused("needs a terminal")


def test_a_reader_that_goes_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream, pytest.raises(ReaderGoneError):
        put(stream, "much\n")


def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as stream, pytest.raises(UserError, match="No space left"):
        put(stream, "much\n")


def test_light_verbs_import_nothing_heavy(store: Store, finished: Run) -> None:
    code = """
import sys
from genai_tui.cli import main
for words in ("runs", "runs --json", "show latest", "logs latest", "--help", "nope", ""):
    main(words.split())
heavy = ("torch", "textual", "numpy", "safetensors", "PIL", "psutil", "pynvml")
print(sorted(set(heavy) & set(sys.modules)), file=sys.stderr)
"""
    told = outside(runs=store.root, code=code)
    assert told.err.splitlines()[-1] == "[]"


def test_the_bare_studio_needs_no_typer(store: Store) -> None:
    code = "import sys; from genai_tui.cli import main; main([]); print('typer' in sys.modules)"
    assert outside(runs=store.root, code=code).out == "False\n"


# --------------------------------------------------------------------------- what was typed


@given(st.dictionaries(WORDS.map(str.strip).filter(bool), st.text(max_size=12)))
def test_settings_survive_the_command_line(knobs: dict[str, str]) -> None:
    words = [f"{name} = {value}" for name, value in knobs.items()]
    assert settings_of(words, None) == {name: value.strip() for name, value in knobs.items()}


@given(st.lists(WORDS), st.integers(1, 9) | st.none())
def test_no_other_word_is_a_setting(words: list[str], steps: int | None) -> None:
    if words:
        with pytest.raises(UserError, match="KNOB=VALUE"):
            settings_of(words, steps)
    else:
        assert settings_of(words, steps) == ({} if steps is None else {"steps": str(steps)})


@given(st.lists(st.sampled_from(["runs", "--json", "--", "-f", *GLOBALS, "--runs=a", "x"])))
def test_global_options_may_stand_anywhere(words: list[str]) -> None:
    chosen, rest = split_globals(words)
    assert len(chosen) % 2 == 0
    assert set(chosen[::2]) <= set(GLOBALS)
    if "--" in words and "--" in rest:
        assert rest[rest.index("--") :] == words[len(words) - len(rest[rest.index("--") :]) :]
    elif "--runs=a" not in words:
        assert len(chosen) + len(rest) == len(words)
        assert not set(rest[:-1]) & set(GLOBALS)


def test_global_options_after_the_verb(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json", f"--runs={finished.path.parent}"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "shoes"


def test_labels_are_names_or_indices() -> None:
    assert labels_of(["bag", "Trouser", "0"], CLASSES) == [3, 1, 0]
    assert labels_of(["3"], CLASSES) == [2]  # a class of that name goes first


@given(st.lists(WORDS | st.sampled_from(CLASSES), max_size=5))
def test_every_label_is_a_class_or_refused(words: list[str]) -> None:
    names = [name.casefold() for name in CLASSES]
    if all(word.casefold() in names or word in ("0", "1", "2", "3") for word in words):
        assert all(0 <= index < len(CLASSES) for index in labels_of(words, CLASSES))
    elif not any(word.isdecimal() for word in words):  # "007" is an index, too
        with pytest.raises(UserError, match="no class"):
            labels_of(words, CLASSES)


# --------------------------------------------------------------------------- completion


def complete(store: Store, *words: str) -> list[str]:
    """What bash would offer for the last word."""
    line = " ".join(("genai-tui", *words))
    told = outside(
        runs=store.root,
        _GENAI_TUI_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words)),
    )
    assert (told.status, told.err) == (0, "")
    return told.out.split()


def test_completion_of_verbs_and_runs(store: Store, finished: Run) -> None:
    build(store, "$(reboot)", telemetry=0, step=20, of=20, id="evil-1")
    assert complete(store, "st") == ["stop"]
    assert complete(store, "show", "") == ["evil-1", "shoes", "latest"]
    assert complete(store, "show", "sh") == ["shoes"]


def test_completion_of_what_can_be_picked(cli: Cli, store: Store) -> None:
    assert cli("models", "--json").status == 0  # which fills the cache
    context: Any = type("Context", (), {"params": {"model": "vae/conv"}})
    assert "vae/conv" in [word for word, _ in completion.models("vae")]
    assert completion.datasets("fashion-mi")[0][0] == "fashion-mini"
    assert [word for word, _ in completion.knobs(context, "lat")] == ["latent="]
    assert completion.devices("a") == [("auto", "the best there is")]
