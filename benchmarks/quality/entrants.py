"""Who takes part. One more is one more line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from backends.records import SampleRequest

FLAT = {"conditional": "no"}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A generator with its knobs.

    Attributes:
        name: its row in the table.
        model: of ours, as the catalogue names it; or "" for a peer.
        settings: knobs of a model of ours, as ``--set`` takes them; arguments of a peer.
        ask: how it is asked to draw; count and seed are the contest's.
        after: of ours, the entrant whose training it draws from again, another way; "" trains.
        peer: module in ``benchmarks.quality.peers`` that runs a peer.
        needs: of a peer, a package or a file below the peers' folder.
        source: of a peer, where the user gets it.
    """

    name: str
    model: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    ask: SampleRequest = field(default_factory=SampleRequest)
    after: str = ""
    peer: str = ""
    needs: str = ""
    source: str = ""


def _gan(name: str) -> Entrant:
    return Entrant(
        f"PyTorch-GAN {name}",
        peer="pytorch_gan",
        settings={"script": name},
        needs=f"PyTorch-GAN/implementations/{name}/{name}.py",
        source="git clone https://github.com/eriklindernoren/PyTorch-GAN into that folder",
    )


def _pythae(caption: str, sampler: str) -> Entrant:
    return Entrant(
        f"pythae VAE, {caption}",
        peer="pythae_vae",
        settings={"sampler": sampler},
        needs="pythae",
        source="pip install --no-deps pythae, and what it asks for",
    )


def _ddpm(lr: str) -> Entrant:
    return Entrant(
        f"denoising-diffusion-pytorch, lr {lr}",
        peer="denoising_diffusion",
        settings={"lr": lr},
        needs="denoising_diffusion_pytorch",
        source="pip install --no-deps denoising-diffusion-pytorch ema-pytorch einops accelerate",
    )


ENTRANTS: Sequence[Entrant] = (
    Entrant("gan/mlp", "gan/mlp", {**FLAT, "gamma": "1", "gamma_final": "0.1"}),
    Entrant("gan/dcgan", "gan/dcgan", FLAT),
    Entrant("gan/dcgan, labels", "gan/dcgan"),
    Entrant("gan/r3gan", "gan/r3gan", FLAT),
    Entrant("gan/r3gan, labels", "gan/r3gan"),
    Entrant("gan/wgan_gp", "gan/wgan_gp", FLAT),
    Entrant("gan/stylegan", "gan/stylegan", FLAT),
    Entrant("vae/conv, mixture", "vae/conv", {**FLAT, "prior": "mixture"}),
    Entrant("vae/conv, labels", "vae/conv"),
    Entrant("vae/vq", "vae/vq", FLAT),
    Entrant("autoregressive/pixel", "autoregressive/pixel", FLAT),
    Entrant("diffusion/ddpm", "diffusion/ddpm", FLAT),
    Entrant("diffusion/edm", "diffusion/edm", FLAT),
    Entrant("diffusion/rectified_flow", "diffusion/rectified_flow", FLAT),
    Entrant(
        "diffusion/rectified_flow, 4 Heun steps",
        "diffusion/rectified_flow",
        {**FLAT, "sampler": "heun"},
        SampleRequest(steps=4),
        after="diffusion/rectified_flow",
    ),
    Entrant("diffusion/rectified_flow, labels", "diffusion/rectified_flow"),
    _gan("gan"),
    _gan("wgan_gp"),
    _gan("dcgan"),
    _pythae("normal prior", "normal"),
    _pythae("mixture on latents", "mixture"),
    _ddpm("1e-4"),
    _ddpm("1e-3"),
)


def chosen(patterns: Sequence[str]) -> list[Entrant]:
    """The entrants whose names are one of ``patterns`` ("gan/*"); all where there is none."""
    return [e for e in ENTRANTS if not patterns or any(fnmatch(e.name, p) for p in patterns)]
