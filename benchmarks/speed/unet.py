"""The denoising U-Net beside denoising-diffusion-pytorch: its training step and its sampler."""

from pathlib import Path
from typing import Any

import torch

from backends import catalogue, precision
from backends.knobs import configure
from backends.model import Batch, DataShape, Model
from backends.records import SampleRequest
from backends.samples import draw
from benchmarks.speed.loop import Loop, config_of, noise, parameters
from benchmarks.speed.peers import Peers
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.turns import compare

BATCH = 32
WIDTH = 48
"""At which our U-Net has as many parameters as theirs with 32 channels and (1, 2, 4)."""


def _step(folder: Path, peers: Peers) -> Outcome:
    diffusion, theirs = _training(peers)
    model = _flow({"width": str(WIDTH)}, side=32)
    config = config_of(model, batch_size=BATCH)
    ours = Loop(model, noise(32), folder, config)
    ours.settle(3)
    note = f"{parameters(model)}, theirs {parameters(diffusion.model)} and attention at every level"
    return Outcome(compare(ours, theirs), note)


def _training(peers: Peers) -> tuple[Any, Any]:
    """Its diffusion and one step of its Trainer without files: loss, backward, clip, Adam, EMA."""
    diffusion = _diffusion(peers, side=32)
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=1e-4, betas=(0.9, 0.99))
    average = peers.package("ema_pytorch").EMA(diffusion, beta=0.995, update_every=10)

    def step() -> None:
        loss = diffusion(torch.rand(BATCH, 1, 32, 32))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()

    return diffusion, step


def _diffusion(peers: Peers, *, side: int, steps: int | None = None) -> Any:
    module = peers.package("denoising_diffusion_pytorch", "denoising-diffusion-pytorch")
    torch.manual_seed(0)
    net = module.Unet(32, dim_mults=(1, 2, 4), channels=1)
    return module.GaussianDiffusion(net, image_size=side, sampling_timesteps=steps)


def _flow(settings: dict[str, str], *, side: int) -> Model:
    kind = catalogue.load("diffusion/rectified_flow")
    torch.manual_seed(0)
    return kind(configure(kind.Config, settings), DataShape("image", (1, side, side)))


def _sampling(folder: Path, peers: Peers) -> Outcome:
    """64 pictures of 16 x 16, theirs in 24 DDIM steps, ours in 4 of Heun."""
    diffusion = _diffusion(peers, side=16, steps=24).eval()
    model = _flow({"sampler": "heun", "sampler_steps": "4"}, side=16)
    batch = Batch(torch.zeros(64, 1, 16, 16), None, torch.Generator().manual_seed(0))
    numerics = precision.choose("auto", model, batch, 1)
    numerics.place(model)
    request = SampleRequest(count=64, seed=0)
    found = compare(
        lambda: draw(model, request, numerics),
        lambda: diffusion.sample(batch_size=16),
        warm_up=1,
        share=16 / 64,
    )
    sizes = f"{parameters(model)}, theirs {parameters(diffusion.model)}"
    note = f"{sizes}; how good both are: `python -m benchmarks quality`"
    return Outcome(found, note, (64, "images"))


ROWS = (
    Row(
        "unet",
        "U-Net denoising step, 32 x 1 x 32 x 32",
        "denoising-diffusion-pytorch",
        1.5,
        _step,
    ),
    Row(
        "diffusion-sample",
        "diffusion sampling, 1 x 16 x 16: 4 Heun steps beside 24 of DDIM",
        "denoising-diffusion-pytorch",
        20,
        _sampling,
    ),
)
