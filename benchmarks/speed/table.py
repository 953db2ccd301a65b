"""``python -m benchmarks speed``: ours beside the peers, in one run on one thread."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.speed import gan, gpt, machine, models, rows, tensors, unet, vae
from benchmarks.speed.peers import Peers

ROWS = (*gpt.ROWS, *gan.ROWS, *unet.ROWS, *vae.ROWS, *tensors.ROWS)


def main(arguments: Sequence[str]) -> int:
    """Measures what is chosen, and prints the machine and the table."""
    asked = _parser().parse_args(arguments)
    machine.one_thread()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="genai-tui-") as scratch:
        for figure in measure(
            Path(scratch), Peers(asked.peers), asked.only, asked.seconds, asked.device
        ):
            figures.append(figure)
            print(f"{figure.what}: {figure.value} {figure.unit} {figure.note}", file=sys.stderr)
    print(f"{machine.caption(asked.device)}\n\n{table(figures)}")
    return 0


def measure(
    folder: Path,
    peers: Peers,
    only: Sequence[str],
    seconds: float = models.SECONDS,
    device: str = "cpu",
) -> Iterator[Figure]:
    """The figures of the rows whose names match one of ``only``; of all if there is none.

    On a GPU those of our models alone: the peers' rows are made for one thread of a CPU.
    """
    for name in models.names():
        if _chosen(name, only):
            yield from models.measure(name, folder / "models" / name, seconds, device)
    wanted = [row for row in ROWS if _chosen(row.name, only) and device == "cpu"]
    yield from rows.measure(wanted, folder / "rows", peers)


def _chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch(name, wanted) for wanted in only)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks speed", description=__doc__)
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="DIR",
        help="folder with nanoGPT, PyTorch-GAN and denoising-diffusion-pytorch; the others "
        "(pythae, ema-pytorch, prdc, scipy) are imported where they are installed",
    )
    names = ", ".join(row.name for row in ROWS)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"rows of these names or patterns: {names}, or a model such as vae/*",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=models.SECONDS,
        help="seconds of turns a model (%(default)s): more make its ratio surer",
    )
    parser.add_argument(
        "--device", default="cpu", help="where the models train: cpu or cuda:0 (%(default)s)"
    )
    return parser
