"""Bad input: one clear sentence each, the right exit status, and nothing on disk changed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_runs import build
from cli_tools import Cli, files, inside

from backends.records import Plan, PlanRequest
from genai_tui import launch, liveness
from genai_tui.cli import main
from genai_tui.store import Run, Store

CLASSES = ["T-shirt/top", "Trouser", "3", "Bag"]


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
