"""The VAE of fully connected layers beside pythae: its networks, its trainer."""

from pathlib import Path

from benchmarks.speed.peers import MissingPeerError, Peers
from benchmarks.speed.rows import Outcome, Row

BATCH, SIDE, LATENT, STRIDE = 100, 28, 16, 20
"""A call is STRIDE steps: an epoch of as many batches."""


def _step(folder: Path, peers: Peers) -> Outcome:
    raise MissingPeerError("there is no vae/mlp in backends yet")


ROWS = (Row("vae", "VAE (MLP) step, 100 x 28 x 28", "pythae", 1.3, _step),)
