"""LSTM and GRU: the state that is carried over in training, and in sampling token by token."""

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import job, points, recipe, same
from torch import Tensor

from backends import checkpoints
from backends.autoregressive._recurrent import Config, Recurrent
from backends.autoregressive.gru import GRU
from backends.autoregressive.lstm import LSTM
from backends.data import Dataset
from backends.datasets._text import text_dataset
from backends.datasets._vocabulary import Characters
from backends.knobs import configure
from backends.model import Batch, DataShape
from backends.precision import Numerics, choose
from backends.recipe import TrainConfig
from backends.records import SampleRequest
from backends.training import train

LETTERS = Characters("\nabcdefghij")
T = 8

kinds = pytest.mark.parametrize("kind", [LSTM, GRU])


def build(kind: type[Recurrent], seed: int = 0, **chosen: Any) -> Recurrent:
    torch.manual_seed(seed)
    small = {"layers": 2, "width": 12, "dropout": 0.0, **chosen}
    return kind(configure(Config, small), DataShape("text", (T,), (), LETTERS))


def ids(*size: int, seed: int = 1) -> Tensor:
    return torch.randint(LETTERS.size, size, generator=torch.Generator().manual_seed(seed))


def batch(x: Tensor, first: int = 0) -> Batch:
    return Batch(x, None, torch.Generator(), first=first)


def whole(model: Recurrent, x: Tensor) -> Tensor:
    """The mean loss a token of each row of ids [B, n + 1], read at once from a fresh state."""
    logits, _ = model.logits(x[:, :-1], torch.zeros(model.states, 2, len(x), 12))
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), x[:, 1:].flatten(), reduction="none"
    )
    return losses.view(len(x), -1).mean(1)


def texts(model: Recurrent, seed: int = 0, **asked: Any) -> list[str]:
    request = SampleRequest(**{"count": 3, "length": 20, **asked})
    return list(model.eval().sample(request, torch.Generator().manual_seed(seed)).texts)


# --------------------------------------------------------------------------- training


@kinds
@torch.no_grad()
def test_three_batches_are_one_long_text(kind: type[Recurrent]) -> None:
    model, x = build(kind), ids(4, 3 * T + 1)
    model.carry(4)
    parts = [model.loss(batch(x[:, i : i + T + 1]))["loss"] for i in (0, T, 2 * T)]
    assert torch.allclose(torch.stack(parts).mean(), whole(model, x).mean(), atol=1e-6)


@kinds
@torch.no_grad()
def test_a_micro_batch_has_lanes_of_its_own(kind: type[Recurrent]) -> None:
    at_once, in_parts, x = build(kind), build(kind), ids(4, 2 * T + 1)
    for model in (at_once, in_parts):
        model.carry(4)
    for i in (0, T):
        piece = x[:, i : i + T + 1]
        together = at_once.loss(batch(piece))["loss"]
        halves = [in_parts.loss(batch(piece[k : k + 2], first=k))["loss"] for k in (0, 2)]
        assert torch.allclose(together, torch.stack(halves).mean(), atol=1e-6)
    assert torch.allclose(at_once.carried, in_parts.carried, atol=1e-6)


@kinds
def test_gradients_end_where_the_batch_begins(kind: type[Recurrent]) -> None:
    model, x = build(kind), ids(2, 2 * T + 1)
    model.carry(2)
    for i in (0, T):
        model.zero_grad()
        model.loss(batch(x[:, i : i + T + 1]))["loss"].backward()
    assert not model.carried.requires_grad
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@kinds
@torch.no_grad()
def test_held_out_items_begin_afresh_and_move_nothing(kind: type[Recurrent]) -> None:
    model, x = build(kind), ids(3, T + 1)
    model.carry(5)
    model.loss(batch(ids(5, T + 1, seed=2)))
    model.eval()
    before = model.carried.clone()
    terms = model.validation(batch(x))
    assert torch.allclose(terms["loss"], whole(model, x).mean(), atol=1e-6)
    assert terms["bits_per_byte"].item() == pytest.approx(terms["loss"].item() / math.log(2))
    assert torch.equal(model.carried, before)


@kinds
def test_choosing_the_precision_moves_nothing(kind: type[Recurrent]) -> None:
    model = build(kind)
    model.carry(3)
    choose("auto", model, batch(ids(3, T + 1)), 1)
    assert not model.carried.any()
    assert all(p.grad is None for p in model.parameters())


@kinds
def test_without_dropout_it_learns_a_text_by_heart(kind: type[Recurrent]) -> None:
    model = build(kind, width=32)
    x = torch.tensor([LETTERS.encode("abcadaebf" * 3)[i : i + T + 1] for i in range(9)])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        model.carry(9)
        optimizer.zero_grad()
        loss = model.loss(batch(x))["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5
    assert texts(model, count=1, prompt="abcadae", length=4, top_k=1) == ["abcadaebfab"]


def test_an_lstm_forgets_little_at_first() -> None:
    model = build(LSTM, layers=2)
    for layer in range(2):
        biases = [getattr(model.cells, f"bias_{side}_l{layer}") for side in ("ih", "hh")]
        total = sum(biases).detach()
        assert total.tolist() == [0.0] * 12 + [1.0] * 12 + [0.0] * 24


@kinds
def test_bfloat16_is_finite_and_near_float32(kind: type[Recurrent]) -> None:
    model, x = build(kind), ids(4, T + 1)
    exact = float(whole(model, x).mean().detach())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(batch(x))["loss"]
    loss.backward()
    assert loss.dtype == model.carried.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.03)


# --------------------------------------------------------------------------- sampling


@kinds
@torch.no_grad()
def test_token_by_token_it_draws_what_the_whole_network_says(kind: type[Recurrent]) -> None:
    model, x = build(kind), ids(2, 30)
    seen: list[Tensor] = []

    def follow(logits: Tensor) -> Tensor:
        seen.append(logits)
        return x[:, 5 + len(seen) - 1]

    assert torch.equal(model.continuations(x[:, :5], 25, follow), x[:, 5:])
    logits, _ = model.logits(x[:, :-1], torch.zeros(model.states, 2, 2, 12))
    assert torch.allclose(torch.stack(seen, 1), logits[:, 4:], atol=1e-5)


@kinds
def test_drawing_moves_no_lane(kind: type[Recurrent]) -> None:
    model = build(kind)
    model.carry(2)
    model.loss(batch(ids(2, T + 1)))
    before = model.carried.clone()
    first = texts(model, seed=3, prompt="abc")
    assert torch.equal(model.carried, before)
    assert texts(model, seed=3, prompt="abc") == first
    assert texts(model, seed=4, prompt="abc") != first
    assert all(text.startswith("abc") and len(text) == 23 for text in first)


# --------------------------------------------------------------------------- resume


def story() -> Dataset:
    text = "abcadaebf\n" * 60
    data = text_dataset(LETTERS.encode_all(text), LETTERS, where="story", context=T, validation=0.1)
    assert len(data.train) >= 20
    return data


@kinds
@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"precision": "bfloat16"}])
def test_resumed_the_lanes_go_on(
    kind: type[Recurrent], changes: dict[str, Any], tmp_path: Path
) -> None:
    plan = {"batch_size": 4, "validate_every": 3, "ema_half_life": 2.0, **changes}

    def run(folder: str, steps: int) -> list[Any]:
        model = build(kind, dropout=0.2)
        knobs = {**plan, "steps": steps, "schedule": "constant"}
        return list(train(job(tmp_path / folder, model, dataset=story(), **knobs)))

    straight = run("one", 6)
    pieces = [*run("two", 3), *run("two", 6)]
    ends = [
        checkpoints.load(checkpoints.folder_of(tmp_path / name / "checkpoints", 6))
        for name in ("one", "two")
    ]
    assert ends[0]["model"]["carried"].shape == (kind.states, 2, 4, 12)
    assert ends[0]["model"]["carried"].any()
    for part in ("model", "ema", "optimizers"):
        assert same(ends[0][part], ends[1][part])
    assert same(points(straight), points(pieces))


@kinds
def test_a_model_of_other_lanes_takes_over_the_weights(kind: type[Recurrent]) -> None:
    trained, fresh = build(kind), build(kind, seed=1)
    trained.carry(6)
    trained.loss(batch(ids(6, T + 1)))
    fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert torch.equal(fresh.carried, trained.carried)
    assert texts(fresh, seed=1) == texts(trained, seed=1)


@pytest.mark.parametrize("names", [("lr", "batch_size", "steps")])
def test_the_recipe_is_one(names: Sequence[str]) -> None:
    configured = configure(TrainConfig, Recurrent.recipe)
    assert all(getattr(configured, name) == Recurrent.recipe[name] for name in names)
    assert Numerics("float32", False, 1).threads == recipe().threads
