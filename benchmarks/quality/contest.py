"""Lets one entrant after the other train in a process of its own, and has it scored."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import msgspec
import numpy as np
import torch

from backends import catalogue
from benchmarks.quality import ours
from benchmarks.quality.attempt import FACTS, LABELS, PICTURES, Facts, Task
from benchmarks.quality.entrants import Entrant
from benchmarks.quality.judge import Judge, pictures
from benchmarks.quality.results import Result, Results, key_of

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Contest:
    """The conditions, the same for everybody: ``budget`` is in CPU seconds."""

    judge: Judge
    out: Path
    peers: Path | None
    budget: float

    def enter(self, entrant: Entrant, seed: int, file: Results) -> Result | str:
        """The result, from ``file`` or newly made; or why there is none."""
        key = key_of(entrant, seed, budget=self.budget, images=self.judge.images.digest)
        known = file.get(key, self.judge.net.digest)
        if known is not None:
            return known
        folder = self._folder(entrant.name, seed)
        facts = _facts(folder)
        if facts.key != key:
            refusal = self._refusal(entrant, seed)
            facts = Facts(error=refusal) if refusal else self._train(entrant, seed, key, folder)
        if facts.error:
            return facts.error
        result = self._judged(entrant, seed, folder, facts)
        file.add(result)
        return result

    def _folder(self, name: str, seed: int) -> Path:
        """What the entrant of that name leaves behind."""
        return self.out / f"{_plain(name)}-{seed}"

    def _refusal(self, entrant: Entrant, seed: int) -> str:
        """Why ``entrant`` cannot take part; empty if it can."""
        if entrant.after and not (self._folder(entrant.after, seed) / FACTS).is_file():
            return f"it draws from {entrant.after}, which has not been trained: name that, too"
        if not entrant.peer:
            return catalogue.plan(ours.request(entrant, self.out / "data")).error
        if entrant.needs.endswith(".py"):
            found = self.peers is not None and (self.peers / entrant.needs).is_file()
        else:
            found = PathFinder.find_spec(entrant.needs, [*self._paths(), *sys.path]) is not None
        where = "the folder of --peers" if self.peers is None else f"{self.peers}"
        return "" if found else f"there is no {entrant.needs} in {where}: {entrant.source}"

    def _paths(self) -> list[str]:
        """Where packages of peers are found: in the folder itself, and in repositories in it."""
        if self.peers is None:
            return []
        parts = (".", "denoising-diffusion-pytorch", "ema-pytorch", "benchmark_VAE/src")
        return [str((self.peers / part).absolute()) for part in parts]

    def _train(self, entrant: Entrant, seed: int, key: str, folder: Path) -> Facts:
        """Trains and draws in a process with one thread, whose output goes to a file."""
        _empty(folder)
        task = Task(
            key=key,
            entrant=entrant,
            data=str((self.out / "data").absolute()),
            folder=str(folder.absolute()),
            peers=str((self.peers or Path()).absolute()),
            after=str(self._folder(entrant.after, seed).absolute()) if entrant.after else "",
            budget=self.budget,
            seed=seed,
            count=len(self.judge.images.test),
        )
        argv = [sys.executable, "-m", "benchmarks.quality.attempt"]
        argv.append(msgspec.json.encode(task).decode())
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        if entrant.peer:
            path = [*self._paths(), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        with (folder / "console.log").open("wb") as log:
            subprocess.run(argv, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)
        return _facts(folder)

    def _judged(self, entrant: Entrant, seed: int, folder: Path, facts: Facts) -> Result:
        labels = torch.from_numpy(np.load(folder / LABELS)) if facts.labelled else None
        x = pictures(folder / PICTURES)
        return Result(
            entrant=entrant.name,
            seed=seed,
            key=facts.key,
            features=self.judge.net.digest,
            scores=self.judge.score(x, labels),
            seconds=facts.seconds,
            draw_seconds=facts.draw_seconds,
            count=len(x),
            steps=facts.steps,
            parameters=facts.parameters,
            precision=facts.precision,
        )


def _facts(folder: Path) -> Facts:
    """What the process that trained in ``folder`` found out; an error if it did not say."""
    try:
        return msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
    except (OSError, msgspec.DecodeError):
        return Facts(error=f"its process ended early, see {folder / 'console.log'}")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in name)


def _empty(folder: Path) -> None:
    """Makes ``folder`` with nothing in it: a run of another time would be gone on with."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
