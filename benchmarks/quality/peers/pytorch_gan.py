"""Scripts of eriklindernoren/PyTorch-GAN, run as they are until the budget is spent."""

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.quality.budget import Budget, BudgetSpentError
from benchmarks.quality.peers import torchvision
from benchmarks.quality.trained import Drawn, Trained

ENDLESS = "1000000000"


def run(
    images: Tensor, settings: Mapping[str, str], peers: Path, folder: Path, budget: Budget
) -> Trained:
    """Trains by the script ``settings["script"]`` on ``images`` [N, C, H, H]."""
    name = settings["script"]
    script = peers / "PyTorch-GAN" / "implementations" / name / f"{name}.py"
    digits = torchvision.Digits(images, budget)
    torchvision.install(digits)
    _, channels, size, _ = images.shape
    arguments = ["--img_size", str(size), "--channels", str(channels)]
    found = _executed(
        script, [*arguments, "--n_epochs", ENDLESS, "--sample_interval", ENDLESS], folder
    )
    generator, options = found["generator"], found["opt"]
    networks = (generator, found["discriminator"])

    @torch.no_grad()
    def draw(count: int) -> Drawn:
        """In batches and in training mode, as the script draws its own pictures."""
        sizes = [len(part) for part in torch.empty(count).split(options.batch_size)]
        return Drawn(torch.cat([generator(torch.randn(n, options.latent_dim)) for n in sizes]))

    steps = digits.fetched // options.batch_size
    return Trained(draw, steps, sum(p.numel() for net in networks for p in net.parameters()))


def _executed(script: Path, arguments: list[str], folder: Path) -> dict[str, Any]:
    """The script's own names when its time was up; what it prints is of no interest."""
    script = script.absolute()
    code = compile(script.read_text(), str(script), "exec")
    names: dict[str, Any] = {"__name__": "__main__"}
    sys.argv = [script.name, *arguments]
    inner = folder / "script" / "in"  # it writes to its folder and to ../../data
    inner.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.chdir(inner),
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.suppress(BudgetSpentError),
    ):
        exec(code, names)
    return names
