"""The verbs that need no training: what they print, and how they say no."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_runs import build
from cli_tools import Cli, Outcome, files, inside, outside
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backends.records import Plan, PlanRequest, Start, Step
from genai_tui import launch, liveness, log
from genai_tui.cli import GLOBALS, main, split_globals
from genai_tui.commands import completion, listing, logs, show
from genai_tui.commands.output import ReaderGoneError, put
from genai_tui.commands.sample import labels_of
from genai_tui.commands.train import settings_of
from genai_tui.errors import UserError
from genai_tui.store import Run, Store

VERBS = """
demo train models datasets runs show watch logs pause resume checkpoint set stop sample delete
"""
CLASSES = ["T-shirt/top", "Trouser", "3", "Bag"]
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="="), max_size=12)


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


@pytest.fixture(scope="module")
def planner() -> Iterator[launch.Planner]:
    warm = launch.Planner()
    yield warm
    warm.close()


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, planner: launch.Planner) -> None:
    """One real worker answers all requests: only the first waits for PyTorch."""

    class Shared:
        def plan(self, request: PlanRequest) -> Plan:
            return planner.plan(request)

        def close(self) -> None:
            pass

    monkeypatch.setattr(launch, "Planner", Shared)


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


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("trian vae/conv", "did you mean 'train'"),
        ("runs extra", "extra"),
        ("runs --jsn", "--jsn"),
        ("--runs", "--runs"),
        ("--graphics nope", "nope kitty"),
        ("train", "MODEL"),
        ("train vae/conv --steps 0", "--steps 1"),
        ("train vae/conv --steps few", "--steps integer"),
        ("train vae/conv --seed -1", "--seed"),
        ("train vae/conv --set lr", "KNOB=VALUE 'lr'"),
        ("train vae/conv --set =3", "KNOB=VALUE"),
        ("train vae/conv --set lr=1 --set lr=2", "lr twice"),
        ("train vae/conv --steps 9 --set steps=8", "steps twice"),
        ("train vae/conv --name latest", "latest"),
        ("train vae/conv --name a\nb", "visible"),
        ("train vae/conv --json=yes", "--json"),
        ("show nope", "nope shoes"),
        ("show 2026", "means 2 runs"),
        ("watch nope", "nope shoes"),
        ("watch /usr", "/usr run.json"),
        ("logs nope", "nope"),
        ("pause shoes", "shoes finished pause"),
        ("checkpoint shoes", "finished"),
        ("stop shoes", "finished"),
        ("set shoes lr=1", "finished"),
        ("set live lr", "KNOB=VALUE"),
        ("resume live", "live running"),
        ("resume shoes", "finished 200 --steps"),
        ("resume shoes --steps 100", "200"),
        ("delete live --yes", "training"),
        ("sample shoes", "--out"),
        ("sample shoes --out new", "no checkpoint"),
        ("sample shoes --out new --count 0", "--count 1"),
        ("sample shoes --out new --step few", "--step"),
        ("demo --steps 0", "--steps"),
    ],
)
def test_wrong_use(cli: Cli, store: Store, finished: Run, training: Run, command: str, words: str):
    before = files(store.root)
    cli(*command.split(" ")).refused(*words.split())
    assert files(store.root) == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train vae/cnv", "vae/cnv vae/conv"),
        ("train vae/conv --data fashion-mni", "fashion-mini"),
        ("train vae/conv --data /no/such", "/no/such exist"),
        ("train vae/conv --data names", "names text pictures"),
        ("train vae/conv --data image-folder", "path"),
        ("train vae/conv --set latnt=3", "latnt latent"),
        ("train vae/conv --set latent=1", "latent 2 512"),
        ("train vae/conv --set latent=many", "latent whole"),
        ("train vae/conv --set optimizer=sgd", "adamw"),
        ("train vae/conv --set batch_size=60000", "batch_size"),
        ("train vae/conv --device cuda:99", "cuda:99 cpu"),
    ],
)
@pytest.mark.usefixtures("warm")
def test_what_the_worker_refuses(cli: Cli, store: Store, command: str, words: str) -> None:
    cli(*command.split()).refused(*words.split())
    assert not store.root.exists()


@pytest.mark.usefixtures("warm")
def test_data_that_cannot_be_trained_on(cli: Cli, store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("to be")
    for name in ("empty", "text.txt"):
        cli("train", "vae/conv", "--data", str(tmp_path / name)).refused(name)
    cli("train", "autoregressive/gpt", "--data", str(tmp_path / "text.txt")).refused("text.txt")
    assert not store.root.exists()


@pytest.mark.usefixtures("warm")
def test_a_store_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    told = inside(Store(Path("/proc/runs")), capsys)("train", "vae/conv", "--steps", "3")
    told.refused("/proc/runs", "--runs", status=1)


def test_a_store_that_is_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside(Store(tmp_path / "file"), capsys)("runs").refused("file", status=1)


def test_settings_that_cannot_be_used(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text("colour = 3")
    monkeypatch.setenv("GENAI_TUI_SETTINGS", str(tmp_path / "settings.toml"))
    cli().refused("colour", "settings.toml")
    (tmp_path / "settings.toml").write_text('graphics = "oil"')
    cli().refused("oil", "kitty")


def test_words_that_are_no_text(cli: Cli) -> None:
    cli("show", "\udcff").refused("UTF-8")


def test_ctrl_c_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(store: Store) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "summaries", interrupted)
    assert main(["runs"]) == 130
    assert capsys.readouterr() == ("", "")


# --------------------------------------------------------------------------- sampling's checks


def test_sample_never_replaces_anything_but_samples(
    cli: Cli, finished: Run, tmp_path: Path
) -> None:
    (finished.path / "checkpoints" / "step-000100").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("")
    cli("sample", "shoes", "--out", str(tmp_path / "home")).refused("not empty", "--force")
    cli("sample", "shoes", "--out", str(tmp_path / "home"), "--force").refused("not replaced")
    cli("sample", "shoes", "--out", str(tmp_path / "file"), "--force").refused("file")
    assert (tmp_path / "home" / "thesis.txt").read_text() == "years"


def test_sample_checks_what_it_can_before_a_worker_starts(
    cli: Cli, finished: Run, tmp_path: Path
) -> None:
    folder = finished.path / "checkpoints" / "step-000100"
    folder.mkdir()
    out = ["--out", str(tmp_path / "new")]
    cli("sample", "shoes", *out, "--step", "7").refused("step 7", "100")
    cli("sample", "shoes", *out, "--temperature", "inf").refused("--temperature")
    cli("sample", "shoes", *out, "--label", "Bag").refused("state.json", status=1)
    kept = {"parts": {"meta": {"shape": {"classes": CLASSES}}}}
    (folder / "state.json").write_text(json.dumps(kept))
    cli("sample", "shoes", *out, "--label", "Bagg").refused("Bagg", "Bag", "0 to 3")
    (folder / "state.json").write_text(json.dumps(kept).replace(json.dumps(CLASSES), "[]"))
    cli("sample", "shoes", *out, "--label", "Bag").refused("no classes")
    assert not (tmp_path / "new").exists()


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


# --------------------------------------------------------------------------- stand-ins


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)
