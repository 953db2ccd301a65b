"""lucidrains/denoising-diffusion-pytorch: its U-Net, diffusion and average, stepped as its Trainer
does, which itself reads nothing but folders of pictures."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.quality.budget import Budget
from benchmarks.quality.peers import torchvision
from benchmarks.quality.trained import Drawn, Trained

torchvision.install()  # the package imports it, and uses none of it here

from denoising_diffusion_pytorch import GaussianDiffusion, Unet  # noqa: E402
from ema_pytorch import EMA  # noqa: E402

BATCH, DDIM_STEPS = 16, 24


def run(images: Tensor, settings: Mapping[str, str], _: Path, __: Path, budget: Budget) -> Trained:
    """Trains on ``images`` [N, C, H, H] at the rate ``settings["lr"]``; the rest as its Trainer."""
    x = (images + 1) / 2
    net = Unet(dim=32, dim_mults=(1, 2, 4), channels=x.shape[1])
    diffusion = GaussianDiffusion(net, image_size=x.shape[-1], sampling_timesteps=DDIM_STEPS)
    optimizer = torch.optim.Adam(
        diffusion.parameters(), lr=float(settings["lr"]), betas=(0.9, 0.99)
    )
    ema = EMA(diffusion, beta=0.995, update_every=10)
    steps = 0
    while budget.spent < budget.seconds:
        for chosen in torch.randperm(len(x)).split(BATCH):
            diffusion(x[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            ema.update()
            steps += 1
            if budget.spent >= budget.seconds:
                break
    ema.ema_model.eval()

    @torch.no_grad()
    def draw(count: int) -> Drawn:
        sizes = [len(part) for part in torch.empty(count).split(100)]
        return Drawn(torch.cat([2 * ema.ema_model.sample(batch_size=n) - 1 for n in sizes]))

    return Trained(draw, steps, sum(p.numel() for p in net.parameters()))
