"""GPT beside nanoGPT: its model.py, its AdamW, its generate."""

import functools
from pathlib import Path
from typing import Any

import torch

from backends import precision
from backends.data import Dataset
from backends.model import Batch
from backends.records import SampleRequest
from backends.samples import draw
from benchmarks.speed.loop import Loop, config_of, opened, parameters
from benchmarks.speed.peers import Peers
from benchmarks.speed.rows import Outcome, Row
from benchmarks.speed.turns import compare

SMALL = {"layers": 4, "heads": 4, "width": 128}
WIDE = {"layers": 6, "heads": 6, "width": 384}
VOCABULARY = 65
NEW = 256
"""Tokens that are drawn after the first one."""
POINTS = 4
"""Lengths at which a turn looks what one more token costs the peer."""


def _step(folder: Path, peers: Peers, *, batch: int) -> Outcome:
    """Our loop with the precision it chooses, against forward, backward, clip and AdamW."""
    theirs = _Training(peers, batch)
    settings = {**SMALL, "context": 64, "batch_size": batch}
    model, dataset = opened("autoregressive/gpt", {k: str(v) for k, v in settings.items()})
    stride = max(1, 96 // batch)
    config = config_of(model, stride, batch_size=batch, optimizer="adamw")
    ours = Loop(model, dataset, folder, config, stride)
    ours.settle(8)
    found = compare(
        ours,
        lambda: [theirs.step() for _ in range(stride)],
        warm_up=1,
        pieces=stride,
        budget=8.0,
    )
    return Outcome(found, f"{parameters(model)}, theirs {parameters(theirs.model)}")


class _Training:
    """nanoGPT's step without its data file: batches of random tokens, as its train.py makes them
    of random places."""

    def __init__(self, peers: Peers, batch: int) -> None:
        self.model = _nanogpt(peers, SMALL, context=64)
        # weight decay, rate and betas of its config/train_shakespeare_char.py
        self._optimizer = self.model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
        self._data = torch.randint(VOCABULARY, (100_000,))
        self._batch = batch

    def step(self) -> None:
        begin = torch.randint(len(self._data) - 65, (self._batch, 1))
        ids = self._data[begin + torch.arange(65)]
        _, loss = self.model(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)


def _nanogpt(peers: Peers, size: dict[str, int], *, context: int) -> Any:
    module = peers.module("nanoGPT", "model.py")
    config = module.GPTConfig(
        block_size=context,
        vocab_size=VOCABULARY,
        n_layer=size["layers"],
        n_head=size["heads"],
        n_embd=size["width"],
        dropout=0.0,
        bias=False,
    )
    torch.manual_seed(0)
    return module.GPT(config)


def _sampling(
    folder: Path, peers: Peers, *, size: dict[str, int], batch: int, context: int
) -> Outcome:
    """NEW tokens after a first one. What theirs costs is taken at some of its NEW lengths only,
    other ones each turn, where drawing all of them would take minutes."""
    theirs = _Drawing(peers, size, batch, context)
    settings = {**size, "context": context, "batch_size": 2}
    model, dataset = opened("autoregressive/gpt", {k: str(v) for k, v in settings.items()})
    request = SampleRequest(count=batch, length=NEW, seed=0)
    numerics = precision.choose("auto", model, _batch(dataset), 1)
    found = compare(lambda: draw(model, request, numerics), theirs, warm_up=1, share=theirs.share)
    return Outcome(found, theirs.note, (batch * NEW, "tokens"))


def _batch(dataset: Dataset) -> Batch:
    x, y = dataset.train.fetch(torch.arange(2), torch.zeros(2, dtype=torch.long), 0)
    return Batch(x, y, torch.Generator())


class _Drawing:
    """nanoGPT's generate."""

    def __init__(self, peers: Peers, size: dict[str, int], batch: int, context: int) -> None:
        self._model, self._batch = _nanogpt(peers, size, context=context).eval(), batch
        self._turn = 0
        whole = batch * context * size["width"] < 10**5
        self.share = 1.0 if whole else POINTS / NEW
        self.note = "" if whole else f"theirs at {POINTS} of {NEW} lengths a turn, evenly spread"

    def __call__(self) -> None:
        if self.share == 1:
            self._draw(1, NEW)
            return
        width = NEW // POINTS
        offset = (self._turn * 37) % width
        self._turn += 1
        for point in range(POINTS):
            self._draw(1 + point * width + offset, 1)

    def _draw(self, length: int, new: int) -> None:
        ids = torch.zeros(self._batch, length, dtype=torch.long)
        self._model.generate(ids, new, temperature=0.8)


ROWS = (
    Row(
        "gpt-step-12",
        "GPT step, 12 x 64 tokens (4 layers, 128 wide)",
        "nanoGPT",
        1.3,
        functools.partial(_step, batch=12),
    ),
    Row(
        "gpt-step-64",
        "GPT step, 64 x 64 tokens (4 layers, 128 wide)",
        "nanoGPT",
        1.6,
        functools.partial(_step, batch=64),
    ),
    Row(
        "gpt-sample-1",
        "GPT sampling, batch 1, context 64 (4 layers, 128 wide)",
        "nanoGPT",
        2.2,
        functools.partial(_sampling, size=SMALL, batch=1, context=64),
    ),
    Row(
        "gpt-sample-16",
        "GPT sampling, batch 16, context 256 (6 layers, 384 wide)",
        "nanoGPT",
        38,
        functools.partial(_sampling, size=WIDE, batch=16, context=256),
    ),
)
