"""What a training changes: averages, optimizers, the window of terms, and copies of them all."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Duel, pictures, recipe, same, tiny

from backends.model import Batch
from backends.state import TrainState, Window, power_of


def stepped(state: TrainState, steps: int, first: int = 0) -> None:
    """Some optimizer steps on noise; the last one leaves ``first + steps`` on the clock."""
    for step in range(first + 1, first + steps + 1):
        source = torch.Generator().manual_seed(step)
        for phase, optimizer in zip(state.phases, state.optimizers, strict=True):
            state.focus(phase)
            optimizer.zero_grad()
            x = torch.randn(5, 1, 4, 4, generator=source)
            torch.manual_seed(step)
            loss = phase.loss(Batch(x, None, source))["loss"]
            loss.backward()
            optimizer.step()
        state.finish_step(step, {"loss": loss}, 10.0)


def fresh(**changes: Any) -> TrainState:
    return TrainState(tiny().train(), recipe(**changes))


# --------------------------------------------------------------------------- the average


@pytest.mark.parametrize("half_life", [1.0, 2.0, 8.0, 1e6])
def test_the_average_is_the_one_in_the_books(half_life: float) -> None:
    """ema_k = sum of w_j * prod(1 - w_i, i > j), its half-life a tenth of the steps at most."""
    state = fresh(ema_half_life=half_life)
    expected = {name: value.double() for name, value in state.model.state_dict().items()}
    for step in range(1, 60):
        with torch.no_grad():
            for parameter in state.model.parameters():
                parameter.fill_(math.sin(step))
        state.finish_step(step, {}, half_life)
        weight = 1 - 0.5 ** (1 / max(1, min(half_life, step / 10)))
        for name, _ in state.model.named_parameters():
            expected[name] += weight * (math.sin(step) - expected[name])
    assert state.ema is not None
    for name, average in state.ema.named_parameters():
        torch.testing.assert_close(average.double(), expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "weights",
    [
        torch.randn(6, 2, 3, 3).to(memory_format=torch.channels_last),
        torch.randn(3, 5).T,
        torch.randn(4, dtype=torch.float64),
        torch.randn(()),
    ],
    ids=["channels_last", "transposed", "float64", "scalar"],
)
def test_every_number_is_averaged_with_its_own_past_whatever_the_layout(
    weights: torch.Tensor,
) -> None:
    model = tiny()
    model.register_parameter("extra", torch.nn.Parameter(weights))
    state, before = TrainState(model, recipe(ema_half_life=1.0)), weights.clone()
    with torch.no_grad():
        model.get_parameter("extra").copy_(torch.arange(weights.numel()).reshape(weights.shape))
    state.finish_step(1, {}, 1.0)  # weight 1/2
    expected = (before + model.get_parameter("extra")) / 2
    torch.testing.assert_close(state.sampled.get_parameter("extra"), expected)


def test_after_one_half_life_half_of_the_old_is_left() -> None:
    state = fresh(ema_half_life=25)
    with torch.no_grad():
        for module, value in ((state.model, 0.0), (state.sampled, 1.0)):
            for parameter in module.parameters():
                parameter.fill_(value)
    for step in range(1000, 1025):
        state.finish_step(step, {}, 25)
    for parameter in state.sampled.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5))


@pytest.mark.parametrize("std", [0.05, 0.1, 0.25])
def test_the_power_average_has_the_published_profile(std: float) -> None:
    """Karras 2023, section 3.1: weights of step i count as i^γ, whose spread is that share."""
    state = fresh(ema="power", ema_std=std)
    steps = 400
    for step in range(1, steps + 1):
        with torch.no_grad():
            for parameter in state.model.parameters():
                parameter.fill_(step / steps)
        state.finish_step(step, {}, 10.0)
    i = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    profile = i ** power_of(std)
    profile /= profile.sum()
    mean = (profile * i).sum()
    assert (profile * (i - mean) ** 2).sum().sqrt().item() == pytest.approx(std, rel=0.02)
    for parameter in state.sampled.parameters():
        torch.testing.assert_close(
            parameter, torch.full_like(parameter, mean.item()), rtol=1e-2, atol=1e-3
        )


def test_the_power_average_begins_with_the_first_trained_weights() -> None:
    state = fresh(ema="power")
    stepped(state, 1)
    for average, value in zip(state.sampled.parameters(), state.model.parameters(), strict=True):
        torch.testing.assert_close(average, value)


def test_buffers_are_copied_and_not_averaged() -> None:
    state = fresh(ema_half_life=1e6)
    stepped(state, 3)
    assert state.ema is not None
    assert same(dict(state.ema.named_buffers()), dict(state.model.named_buffers()))


def test_the_average_does_not_learn_by_itself_and_is_off_where_it_is_not_wanted() -> None:
    state = fresh()
    assert state.sampled is state.ema is not state.model
    assert not any(parameter.requires_grad for parameter in state.sampled.parameters())
    assert not state.sampled.training
    without = fresh(ema_half_life=0)
    assert without.sampled is without.model
    assert without.snapshot(0)["ema"] is None


# --------------------------------------------------------------------------- optimizers


def test_matrices_decay_and_vectors_do_not() -> None:
    [optimizer] = fresh(weight_decay=0.1).optimizers
    for group in optimizer.param_groups:
        matrices = {parameter.dim() > 1 for parameter in group["params"]}
        assert matrices == {group["weight_decay"] == 0.1}


def test_adam_decays_nothing() -> None:
    [optimizer] = fresh(optimizer="adam", weight_decay=0.1).optimizers
    assert type(optimizer) is torch.optim.Adam
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0}


def test_only_the_weights_of_a_turn_learn() -> None:
    state = TrainState(tiny(Duel), recipe())
    judge, maker = state.model.judge, state.model.maker
    for phase, learner, other in (("D", judge, maker), ("R", judge, maker), ("G", maker, judge)):
        state.focus(next(one for one in state.phases if one.name == phase))
        assert all(parameter.requires_grad for parameter in learner.parameters())
        assert not any(parameter.requires_grad for parameter in other.parameters())


def test_weights_that_a_model_froze_stay_frozen() -> None:
    model = tiny(Duel)
    model.judge[1].bias.requires_grad_(False)
    state = TrainState(model, recipe())
    for phase in state.phases:
        state.focus(phase)
        assert not model.judge[1].bias.requires_grad


# --------------------------------------------------------------------------- the window

rows = st.lists(
    st.dictionaries(st.sampled_from(["loss", "kl", "D/loss"]), st.floats(width=32), max_size=3),
    max_size=8,
)


def filled(terms: list[dict[str, float]]) -> Window:
    window = Window()
    for step, row in enumerate(terms):
        window.add(step, {name: torch.tensor(value) for name, value in row.items()})
    return window


@given(rows)
def test_a_window_gives_means_and_the_first_bad_term(terms: list[dict[str, float]]) -> None:
    means, bad = filled(terms).drain()
    for name in {name for row in terms for name in row}:
        values = [row[name] for row in terms if name in row]
        expected = sum(values) / len(values)
        assert means[name] == expected or math.isnan(expected)
    wrong = [
        (step, name, value)
        for step, row in enumerate(terms)
        for name, value in row.items()
        if not math.isfinite(value)
    ]
    assert (bad is None) == (not wrong)
    if bad is not None:
        assert bad[:2] == wrong[0][:2]


@given(rows)
def test_a_window_is_empty_after_it_was_read(terms: list[dict[str, float]]) -> None:
    window = filled(terms)
    window.drain()
    assert window.drain() == ({}, None)


@given(rows, rows)
def test_a_restored_window_goes_on_to_the_last_bit(
    before: list[dict[str, float]], after: list[dict[str, float]]
) -> None:
    straight, saved, resumed = filled(before), filled(before), Window()
    assert saved.first_bad() == filled(before).first_bad() or saved.first_bad() is not None
    resumed.restore(saved.state(), torch.device("cpu"))
    for window in (straight, resumed):
        for step, row in enumerate(after):
            window.add(100 + step, {name: torch.tensor(value) for name, value in row.items()})
    assert same(straight.drain()[0], resumed.drain()[0])


def test_looking_for_a_bad_term_takes_nothing_away() -> None:
    window = filled([{"loss": 1.0}])
    assert window.first_bad() is None
    window.add(7, {"loss": torch.tensor(float("nan"))})
    assert window.first_bad() is not None
    means, bad = window.drain()
    assert math.isnan(means["loss"])
    assert bad is not None
    assert bad[:2] == (7, "loss")


# --------------------------------------------------------------------------- snapshots


@pytest.mark.parametrize(
    "changes", [{}, {"ema_half_life": 0}, {"optimizer": "adam"}, {"ema": "power"}], ids=str
)
def test_a_restored_state_goes_on_to_the_last_bit(changes: dict[str, Any]) -> None:
    straight, half = fresh(**changes), fresh(**changes)
    stepped(straight, 6)
    stepped(half, 3)
    half.overrides["lr"] = 0.5
    snapshot = half.snapshot(3)
    other = TrainState(tiny(seed=9).train(), recipe(**changes))
    other.restore(snapshot)
    assert other.step == 3
    assert other.overrides == {"lr": 0.5}
    other.overrides.clear()
    stepped(other, 3, first=3)
    assert same(other.snapshot(6), straight.snapshot(6))


def test_a_snapshot_does_not_follow_the_training() -> None:
    state = fresh()
    stepped(state, 2)
    snapshot, again = state.snapshot(2), state.snapshot(2)
    stepped(state, 2, first=2)
    assert same(snapshot, again)
    assert not same(snapshot["model"], state.snapshot(4)["model"])


def test_restored_moments_have_the_layout_of_their_weights() -> None:
    """A fused kernel walks both in the order of memory: other strides, other weights."""
    model = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # pyright: ignore

    class Convolution(type(tiny())):
        pass

    outer = Convolution(pictures().shape)
    outer.net = torch.nn.Sequential(model)
    state = TrainState(outer, recipe())
    model.weight.grad = torch.randn_like(model.weight)
    model.bias.grad = torch.randn_like(model.bias)
    state.optimizers[0].step()
    snapshot = state.snapshot(1)
    state.restore(snapshot)
    moment = state.optimizers[0].state[model.weight]["exp_avg"]
    assert moment.stride() == model.weight.stride() != snapshot["model"]["net.0.weight"].stride()
    assert same(state.snapshot(1), snapshot)
