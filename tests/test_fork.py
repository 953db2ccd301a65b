"""A new run from an old one's checkpoint: what the form begins with, and what is asked for."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from new_run_host import Host, ready, until
from studio import screen_text, studio
from studio import until as studio_until

from backends.records import RunSpec
from genai_tui import lineage
from genai_tui.lineage import Fork
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.store import Run, RunError, Store
from genai_tui.widgets.run_table import RunTable

SPEC = RunSpec(
    id="20260101-000000-vae-conv-k3f9",
    name="shoes",
    model="vae/conv",
    dataset="fashion-mini",
    model_config={"latent": 64},
    train_config={"steps": 900},
    seed=7,
)


@pytest.fixture
def run(store: Store) -> Run:
    """A run with checkpoints at steps 10 and 20; that of 15 is damaged."""
    found = store.create(SPEC)
    for step in (10, 15, 20):
        folder = found.path / "checkpoints" / f"step-{step:06d}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        digest = hashlib.sha256(b"weights").hexdigest()
        files = {"files": {"model.safetensors": {"sha256": digest}}}
        (folder / "manifest.json").write_text("{" if step == 15 else json.dumps(files))
    return found


@pytest.fixture
def fork(run: Run) -> Fork:
    return lineage.fork(run)


def test_a_fork_may_begin_with_any_checkpoint_that_is_whole(run: Run) -> None:
    found = lineage.fork(run)
    assert (found.name, found.spec, list(found.weights)) == ("shoes", SPEC, [10, 20])
    run.annotate(name="boots")
    assert lineage.fork(run).name == "boots"
    (run.path / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        lineage.fork(Run(run.path))


async def test_the_form_begins_with_the_runs_own_settings(fork: Fork) -> None:
    async with Host(fork=fork).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        assert host.models.picked is not None
        assert host.models.picked.name == "vae/conv"
        assert host.form.text("model:vae/conv", "latent") == "64"
        assert host.form.text("train:vae/conv", "steps") == "900"
        assert host.form.text("fork", "from") == "20"
        assert host.form.text("run", "name") == "shoes-fork"
        assert host.form.text("run", "seed") == "7"
        assert "fork of shoes" in str(host.screen.query_one("PlanSummary").border_title)
        assert f"--from {SPEC.id}@20" in host.summary
        assert "--set latent=64" in host.summary
        [asked] = {request.weights for request in host.house.planner.asked}
        assert asked == str(fork.weights[20])


async def test_only_what_is_changed_from_the_run_is_marked(fork: Fork) -> None:
    async with Host(fork=fork).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        assert "changed" not in str(host.form.border_subtitle)
        host.form.go_to("model:vae/conv", "latent")
        await pilot.press("1", "6")
        await until(pilot, lambda: "1 changed" in str(host.form.border_subtitle))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "changed" not in str(host.form.border_subtitle))
        assert host.form.text("model:vae/conv", "latent") == "64"


async def test_what_is_started_names_the_checkpoint(fork: Fork) -> None:
    async with Host(fork=fork).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        host.form.go_to("fork", "from")
        await pilot.press("right", "ctrl+s")
        await until(pilot, lambda: host.opened)
        [asked] = host.house.created
        assert asked["begin"] == f"{SPEC.id}@10"
        assert asked["settings"] == {"latent": "64", "steps": "900"}
        assert (asked["name"], asked["seed"]) == ("shoes-fork", 7)


async def test_a_run_without_a_checkpoint_lends_its_settings_alone(fork: Fork) -> None:
    async with Host(fork=replace(fork, weights={})).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        assert host.form.text("fork", "from") == "none"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.opened)
        [asked] = host.house.created
        assert (asked["begin"], asked["settings"]["latent"]) == ("", "64")


async def test_another_generator_begins_with_its_own_settings(fork: Fork) -> None:
    spec = msgspec.structs.replace(SPEC, model="autoregressive/gpt")
    async with Host(fork=replace(fork, spec=spec)).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        host.models.focus()
        await pilot.press("home")
        await until(pilot, lambda: host.models.picked and host.models.picked.name == "gan/dcgan")
        assert host.form.text("model:gan/dcgan", "latent") == "100"
        assert host.form.text("run", "seed") == "7"


async def test_data_of_ones_own_come_with_their_path(fork: Fork, tmp_path: Path) -> None:
    spec = msgspec.structs.replace(SPEC, dataset=str(tmp_path))
    async with Host(fork=replace(fork, spec=spec)).run_test(size=(120, 40)) as pilot:
        host = await ready(pilot)
        assert f"--data {tmp_path}" in host.summary


@pytest.mark.usefixtures("run")
async def test_capital_f_opens_the_form_on_the_run_under_the_cursor(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await studio_until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await studio_until(pilot, lambda: app.screen.query_one(RunTable).runs)
        await pilot.press("F")
        await studio_until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await studio_until(pilot, lambda: "fork of shoes" in screen_text(app))
        await pilot.press("escape")
        await studio_until(pilot, lambda: isinstance(app.screen, RunsScreen))
