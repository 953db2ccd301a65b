"""Makes the screenshots from the real app on real runs: ``python screenshots/make.py``.

Trains some generators with the commands of the README (minutes on two cores; runs that are
there already are used as they are), then drives the studio and saves what it shows. Needs Chromium,
which draws Textual's SVG right.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from textual.pilot import Pilot

from genai_tui import launch, scores
from genai_tui.app import StudioApp
from genai_tui.images.detect import Graphics
from genai_tui.store import LIVE, Run, RunError, Store

HERE = Path(__file__).parent
os.environ["GENAI_TUI_SETTINGS"] = "/home/ada/.config/genai-tui/settings.toml"
"""Nobody's, so that pictures show the defaults."""
TRAININGS: dict[str, tuple[str, str, dict[str, str]]] = {
    "clothes-vae": ("vae/conv", "fashion-mini", {}),
    "clothes-gan": ("gan/dcgan", "fashion-mini", {}),
    "clothes-flow": ("diffusion/rectified_flow", "fashion-mini", {}),
    "shakespeare": ("autoregressive/gpt", "shakespeare-mini", {}),
    "carbon-dioxide": ("autoregressive/series", "co2", {}),
}
SIZES = ((80, 24), (120, 40), (200, 60))
USUAL, EVERYWHERE = (120, 40), ("runs", "run")
COLOURS = 256
BROWSER = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
)
LETTER = (12.2, 24.4)  # width and height in pixels of a cell in Textual's SVG


@dataclass(frozen=True)
class Scene:
    """A screen: the keys that lead there, with seconds to wait between them."""

    name: str
    keys: tuple[str | float, ...] = ()
    opens_run: bool = False


SCENES = (
    Scene("runs"),
    Scene("new-run", ("n", 6.0)),
    Scene("compare", ("down", "down", "m", "m", "m", "C", 3.0)),
    Scene("gallery", ("2", 3.0)),
    Scene("settings", ("4",)),
    Scene("run", (), True),
    Scene("help", ("question_mark",), True),
    Scene("samples", ("v", 2.0), True),
    Scene("checkpoints", ("K", 3.0), True),
    Scene("playground", ("p", 20.0, "ctrl+s", 25.0), True),
)
LIVE_SCENE = Scene("gpus", ("3", 45.0, "slash", *"clothes", "enter", 3.0))
"""Of a machine that is at work, with what its graphs have gathered meanwhile; of its processes
those of the run, for others are nobody's business."""
LIVE_STEPS = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="a store to use and to keep")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genai-tui-") as scratch:
        store = Store(options.runs or Path(scratch))
        os.environ["GENAI_TUI_RUNS"] = str(store.root)
        runs = {name: trained(store, name) for name in TRAININGS}
        for name, run in runs.items():
            samples(run, HERE / f"samples-{TRAININGS[name][0].replace('/', '-')}")
        scored(runs["clothes-flow"])
        asyncio.run(photograph(store, runs["clothes-flow"]))
        with training(store) as run:
            asyncio.run(take(LIVE_SCENE, store, run, *USUAL))
    return 0


def trained(store: Store, name: str) -> Run:
    """The run of that name, trained to its end."""
    try:
        run = store.run(name)
    except RunError:
        model, dataset, settings = TRAININGS[name]
        print(f"genai-tui train {model} --data {dataset} --name {name}", flush=True)
        run = launch.create(store, model=model, dataset=dataset, settings=settings, name=name)
        launch.start(run)
    while run.state() in LIVE:
        time.sleep(0.5)
    if run.state() != "finished":
        raise SystemExit(f"{name} is {run.state()}: {run.status().reason}")
    return run


def scored(run: Run) -> None:
    """Evaluates the newest checkpoint, unless that was done."""
    if not scores.read(run):
        command = [sys.executable, "-m", "genai_tui.cli", "evaluate", str(run.path)]
        subprocess.run(command, check=True)


@contextmanager
def training(store: Store) -> Iterator[Run]:
    """A run that trains as long as it is looked at, and is deleted then."""
    run = launch.create(
        store,
        model="vae/conv",
        dataset="fashion-mini",
        settings={"steps": str(LIVE_STEPS)},
        name="clothes-again",
    )
    launch.start(run)
    try:
        while run.status().step == 0:
            time.sleep(0.5)
        yield run
    finally:
        run.command("stop")
        while run.state() in LIVE:
            time.sleep(0.5)
        run.delete()


def samples(run: Run, target: Path) -> None:
    """The last samples: the grid, its pixels repeated where it is small, or the texts."""
    folder = run.path / run.status().sample
    if (folder / "grid.png").exists():
        grid = Image.open(folder / "grid.png")
        factor = max(1, 700 // grid.width)
        size = (grid.width * factor, grid.height * factor)
        grid.resize(size, Image.Resampling.NEAREST).save(target.with_suffix(".png"), optimize=True)
        return
    texts = [file.read_text() for file in sorted(folder.glob("0*.txt"))]
    target.with_suffix(".txt").write_text("\n\n----\n\n".join(texts) + "\n")


async def photograph(store: Store, run: Run) -> None:
    """Every screen at the usual size, and the two that are seen most at all sizes."""
    for columns, rows in SIZES:
        for scene in SCENES:
            if (columns, rows) == USUAL or scene.name in EVERYWHERE:
                await take(scene, store, run, columns, rows)


async def take(scene: Scene, store: Store, run: Run, columns: int, rows: int) -> None:
    """One picture of the studio, driven as a user would."""
    graphics = Graphics(mode="quadrant")
    opened = run if scene.opens_run else None
    app = StudioApp(store, graphics=graphics, open_run=opened)
    async with app.run_test(size=(columns, rows)) as pilot:
        await settled(pilot)
        for key in scene.keys:
            if isinstance(key, (int, float)):
                await settled(pilot, key)
            else:
                await pilot.press(key)
        await settled(pilot)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / f"{scene.name}-{columns}x{rows}.svg"
            app.save_screenshot(file.name, path=scratch)
            to_png(file, HERE / file.with_suffix(".png").name, columns, rows)
            print(file.stem, flush=True)


async def settled(pilot: Pilot[None], seconds: float = 2.5) -> None:
    """Gives the reading thread time to have read everything."""
    await pilot.pause(seconds)


def to_png(file: Path, target: Path, columns: int, rows: int) -> None:
    """The SVG as a browser draws it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if browser is None:
        print("no Chromium: the PNG is not made", file=sys.stderr)
        return
    width, height = round(columns * LETTER[0] + 20), round(rows * LETTER[1] + 60)
    size, drawn = f"--window-size={width},{height}", f"--screenshot={target}"
    subprocess.run([browser, *BROWSER, size, drawn, file.as_uri()], check=True, capture_output=True)
    picture = Image.open(target).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        target, optimize=True
    )


if __name__ == "__main__":
    sys.exit(main())
