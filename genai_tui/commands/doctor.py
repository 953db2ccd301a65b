"""``doctor``: looks the box and the store over; each line is ok, warn or fail with its remedy."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from backends.records import Catalogue
from genai_tui import launch, settings
from genai_tui.commands.options import AsJson, globals_of, store_of
from genai_tui.commands.output import busy, document, painted, say
from genai_tui.doctor import box, house, screen
from genai_tui.doctor.finding import Finding, ok
from genai_tui.errors import FAILED
from genai_tui.images.detect import detect
from genai_tui.store import Store
from genai_tui.telemetry.record import Snapshot
from genai_tui.visible import visible

COLOURS = {"ok": "32", "warn": "33", "fail": "31"}
PATIENCE_SECONDS = 10.0


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look this box and the store over, and say what to do about what is not well."""
    found: list[Finding] = []
    for finding in look(store_of(context), globals_of(context).graphics):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        document(found)
    if any(finding.verdict == "fail" for finding in found):
        raise typer.Exit(FAILED)


def look(store: Store, graphics: str | None) -> Iterator[Finding]:
    """All findings, as they come."""
    yield box.python()
    catalogue = _catalogue()
    yield from box.torch(catalogue)
    yield from box.gpus(_snapshot(store.root), catalogue)
    yield house.permissions(store.root)
    runs = store.summaries()
    yield from house.states(runs, store.root)
    yield house.disk(store.root, runs)
    yield house.leftovers(store.root, runs)
    yield from house.imports(Path.cwd(), store.root)
    yield box.clock(run.status.heartbeat for run in runs)
    yield box.logout()
    yield ok("settings", str(settings.settings_file()))
    yield from screen.terminal(os.environ, _size(), detect(graphics or settings.load().graphics))


def _catalogue() -> Catalogue | str:
    try:
        with busy("asking PyTorch"):
            return launch.catalogue(refresh=True)
    except launch.LaunchError as error:
        return str(error)


def _snapshot(root: Path) -> Snapshot:
    from genai_tui.telemetry.sampler import Sampler  # psutil is slow to load

    folder = next(each for each in (root, *root.parents) if each.exists())
    with busy("asking the driver"):
        return Sampler(patience=PATIENCE_SECONDS).snapshot(folder)


def _size() -> os.terminal_size | None:
    try:
        return os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return None


def _print(finding: Finding) -> None:
    verdict = painted(f"{finding.verdict:<4}", COLOURS[finding.verdict])
    say(f"{verdict}  {visible(finding.about):<12}  {visible(finding.found)}")
    if finding.remedy:
        say(f"{'':<20}→ {visible(finding.remedy)}")
