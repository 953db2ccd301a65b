"""Makes the screenshots from the real app on real runs: ``python screenshots/make.py``.

Trains some generators with the commands of the README (minutes on two cores; runs that are
there already are used as they are), then drives the studio and saves what it shows: SVG of every
screen and, where Chromium is installed, PNG of the ones with pictures.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from PIL import Image
from textual.pilot import Pilot

from genai_tui import launch
from genai_tui.app import StudioApp
from genai_tui.images.detect import Graphics
from genai_tui.store import LIVE, Run, RunError, Store

HERE = Path(__file__).parent
TRAININGS: dict[str, tuple[str, str, dict[str, str]]] = {
    "clothes-vae": ("vae/conv", "fashion-mini", {}),
    "clothes-gan": ("gan/dcgan", "fashion-mini", {}),
    "clothes-flow": ("diffusion/rectified_flow", "fashion-mini", {}),
    "shakespeare": ("autoregressive/gpt", "shakespeare-mini", {}),
    "carbon-dioxide": ("autoregressive/series", "co2", {}),
}
SIZES = ((80, 24), (120, 40), (200, 60))
BROWSER = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
)
LETTER = (12.2, 24.4)  # width and height in pixels of a cell in Textual's SVG


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="a store to use and to keep")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genai-tui-") as scratch:
        store = Store(options.runs or Path(scratch))
        runs = {name: trained(store, name) for name in TRAININGS}
        for name, run in runs.items():
            samples(run, HERE / f"samples-{TRAININGS[name][0].replace('/', '-')}")
        asyncio.run(photograph(store, runs["clothes-flow"]))
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
    """Every screen at every size."""
    for columns, rows in SIZES:
        size = f"{columns}x{rows}"
        async for name, app in screens(store, run, columns, rows):
            file = HERE / f"{name}-{size}.svg"
            app.save_screenshot(file.name, path=str(HERE))
            print(file.name, flush=True)
            if name in ("run", "runs", "maximised"):
                to_png(file, columns, rows)


async def screens(
    store: Store, run: Run, columns: int, rows: int
) -> AsyncIterator[tuple[str, StudioApp]]:
    """The studio on one screen after the other."""
    graphics = Graphics(mode="quadrant")
    app = StudioApp(store, graphics=graphics)
    async with app.run_test(size=(columns, rows)) as pilot:
        await settled(pilot)
        yield "runs", app
        await pilot.press("n")
        await settled(pilot, 6.0)
        yield "new-run", app
    app = StudioApp(store, graphics=graphics, open_run=run)
    async with app.run_test(size=(columns, rows)) as pilot:
        await settled(pilot)
        yield "run", app
        await pilot.press("question_mark")
        await settled(pilot)
        yield "help", app


async def settled(pilot: Pilot[None], seconds: float = 2.5) -> None:
    """Gives the reading thread time to have read everything."""
    await pilot.pause(seconds)


def to_png(file: Path, columns: int, rows: int) -> None:
    """The SVG as a browser draws it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if browser is None:
        print("no Chromium: the PNG is not made", file=sys.stderr)
        return
    width, height = round(columns * LETTER[0] + 20), round(rows * LETTER[1] + 60)
    window, target = f"--window-size={width},{height}", f"--screenshot={file.with_suffix('.png')}"
    subprocess.run(
        [browser, *BROWSER, window, target, file.as_uri()],
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    sys.exit(main())
