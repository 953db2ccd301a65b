"""The VAE of fully connected layers beside pythae: its default networks and its trainer."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from backends import catalogue
from backends.knobs import configure
from backends.model import DataShape
from benchmarks.speed.loop import Loop, config_of, noise, parameters
from benchmarks.speed.peers import Peers
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.turns import compare

BATCH, SIDE, STEPS = 100, 28, 20
"""A call of either is STEPS steps; of theirs that is an epoch of as many batches."""
SIZE = {"latent": "16", "width": "512"}
"""As its networks are by default: one hidden layer of 512; the latent space is the caller's."""


def _step(folder: Path, peers: Peers) -> Outcome:
    theirs = Peer(peers, folder / "peer")
    kind = catalogue.load("vae/mlp")
    torch.manual_seed(0)
    model = kind(configure(kind.Config, SIZE), DataShape("image", (1, SIDE, SIDE)))
    config = config_of(model, STEPS, batch_size=BATCH)
    ours = Loop(model, noise(SIDE), folder, config, STEPS)
    ours.settle(3)
    found = compare(ours, theirs.epoch, warm_up=1, pieces=STEPS, budget=4.0)
    return Outcome(found, f"{parameters(model)}, theirs {parameters(theirs.model)}")


class Peer:
    """Its VAE, and its trainer on pictures in memory, without its print-outs."""

    def __init__(self, peers: Peers, folder: Path) -> None:
        models, trainers = peers.package("pythae.models"), peers.package("pythae.trainers")
        logging.disable(logging.INFO)
        self.model: Any = models.VAE(models.VAEConfig(input_dim=(1, SIDE, SIDE), latent_dim=16))
        pictures = torch.rand(STEPS * BATCH, 1, SIDE, SIDE)
        data = peers.package("pythae.data.datasets").BaseDataset(
            pictures, torch.zeros(len(pictures))
        )
        config = trainers.BaseTrainerConfig(
            output_dir=str(folder), num_epochs=1, per_device_train_batch_size=BATCH
        )
        self._trainer = trainers.BaseTrainer(self.model, data, training_config=config)
        self._trainer.prepare_training()

    def epoch(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._trainer.train_step(1)


ROWS = (Row("vae", "VAE (MLP) step, 100 x 1 x 28 x 28", "pythae", 1.3, _step),)
