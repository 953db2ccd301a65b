"""``python -m benchmarks``: prints the table of figures; names of parts choose some."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Figure, table


def _engine(folder: Path) -> Iterator[Figure]:
    from benchmarks import engine

    return engine.measure(folder)


def _studio(folder: Path) -> Iterator[Figure]:
    from benchmarks import studio

    return studio.measure(folder)


def _gpus(folder: Path) -> Iterator[Figure]:
    from benchmarks import gpus

    return gpus.measure(folder)


def _charts(folder: Path) -> Iterator[Figure]:
    from benchmarks import charts

    return charts.measure(folder)


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "studio": _studio,
    "engine": _engine,
    "gpus": _gpus,
    "charts": _charts,
}
APART = {"speed": "benchmarks.speed.table", "quality": "benchmarks.quality.command"}
"""Parts with arguments and tables of their own, which take minutes and run only when named."""


def main() -> int:
    if sys.argv[1:] and sys.argv[1] in APART:
        return _apart(sys.argv[1], sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="|".join(PARTS))
    parser.epilog = f"Apart from these, with arguments of their own: {', '.join(APART)}."
    wanted = parser.parse_args().parts or list(PARTS)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="genai-tui-") as scratch:
        for part in wanted:
            for figure in PARTS[part](Path(scratch) / part):
                figures.append(figure)
                print(f"{figure.what}: {figure.value} {figure.unit}", file=sys.stderr, flush=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(table(figures))
    return 0


def _apart(name: str, arguments: list[str]) -> int:
    """Runs a part by itself; BLAS and tqdm read what they may do as they are imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TQDM_DISABLE"):
        os.environ[variable] = "1"
    return import_module(APART[name]).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
