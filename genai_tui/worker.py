"""The one door to PyTorch: ``python -P -m genai_tui.worker train|describe|plan|sample|play|...``.

Signal handlers come before everything else, so that a SIGTERM at any moment, also while torch is
being imported, ends the run with a checkpoint where there is anything to save.
"""

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO, NoReturn

from genai_tui.parent import adopt_orphans, end_family

PATIENCE_SECONDS = 3.0
"""A SIGTERM so long after the first is meant: leave at once, the last checkpoint stands. One right
after it is the same request, sent to the keeper and to the worker, as a system does that shuts
down."""

_first_term: float | None = None


def _on_term(*_: object) -> None:
    global _first_term
    if _first_term is None:
        _first_term = time.monotonic()
    elif time.monotonic() - _first_term > PATIENCE_SECONDS:
        os._exit(75)


def term_requested() -> bool:
    """Whether a SIGTERM has come."""
    return _first_term is not None


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    os.umask(0o077)
    if options.verb == "train":
        signal.signal(signal.SIGTERM, _on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        adopt_orphans()
        faulthandler.enable()
        if hasattr(signal, "SIGUSR1"):
            faulthandler.register(signal.SIGUSR1)
        from genai_tui.attempt import attempt

        return attempt(options.run, options.steps, options.attempt, term_requested)
    with _answer() as to:
        if options.verb == "play":
            from genai_tui import playing

            return playing.play(to, options.run)
        if options.verb == "import":
            from genai_tui import converting

            return converting.convert(to, options.file, options.out, options.part, options.parent)
        if options.verb == "evaluate":
            from genai_tui import evaluating

            return evaluating.evaluate(to, options.run, options.step, options.count, options.seed)
        from genai_tui import answers

        if options.verb == "describe":
            return answers.describe(to)
        if options.verb == "plan":
            return answers.plan(to)
        return answers.sample(to, options.run, options.step, options.request, options.out)


def _answer() -> BinaryIO:
    """Stdout for the answer alone: what a library prints there goes to stderr from here on."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr  # one buffer, so that the last line is what was said last
    return stream


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="genai_tui.worker")
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="one attempt at a run")
    train.add_argument("run", type=Path)
    train.add_argument("--steps", type=int, required=True)
    train.add_argument("--attempt", type=int, default=1)
    verbs.add_parser("describe", help="the catalogue as JSON")
    verbs.add_parser("plan", help="answers a request a line with a plan a line")
    sample = verbs.add_parser("sample", help="draws from a checkpoint")
    sample.add_argument("run", type=Path)
    sample.add_argument("--step", type=int, default=-1, help="-1 is the newest")
    sample.add_argument("--request", required=True, help="a SampleRequest as JSON")
    sample.add_argument("--out", type=Path, required=True)
    play = verbs.add_parser("play", help="draws whatever it is asked for, a line of JSON a request")
    play.add_argument("run", type=Path)
    evaluate = verbs.add_parser("evaluate", help="scores a checkpoint")
    evaluate.add_argument("run", type=Path)
    evaluate.add_argument("--step", type=int, default=-1, help="-1 is the newest")
    evaluate.add_argument("--count", type=int, default=0, help="samples; 0 is the usual number")
    evaluate.add_argument("--seed", type=int, default=0)
    taken = verbs.add_parser("import", help="makes a safetensors file of somebody's weights")
    taken.add_argument("file", type=Path)
    taken.add_argument("--out", type=Path, required=True, help="the file to make")
    taken.add_argument("--part", default="", help="the container to take alone")
    taken.add_argument("--parent", type=int, required=True, help="pid of who asks")
    return parser.parse_args(arguments)


def _exit(code: int) -> NoReturn:
    # Threads of libraries may outlive main; what matters has been flushed by now.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    end_family()
    os._exit(code)


if __name__ == "__main__":
    _exit(main())
