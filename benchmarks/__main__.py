"""``python -m benchmarks``: prints the table of figures; names of parts choose some."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure, table


def _engine(folder: Path) -> Iterator[Figure]:
    from benchmarks import engine

    return engine.measure(folder)


def _studio(folder: Path) -> Iterator[Figure]:
    from benchmarks import studio

    return studio.measure(folder)


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {"studio": _studio, "engine": _engine}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="studio|engine")
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


if __name__ == "__main__":
    sys.exit(main())
