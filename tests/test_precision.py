"""Device and arithmetic are what was asked for; what is left open is timed on a copy."""

import json
from typing import Any

import pytest
import torch
from tiny import Duel, pictures, same, tiny

from backends import precision
from backends.knobs import ConfigError
from backends.model import Batch, Model
from backends.precision import Numerics
from backends.seeds import generator


@pytest.fixture(autouse=True)
def threads() -> Any:
    """Timing tries other numbers of threads; the other tests want theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def batch() -> Batch:
    x, y = pictures().train.fetch(torch.arange(5), torch.zeros(5, dtype=torch.long), 0)
    return Batch(x, y, generator(0, 0, "noise", "cpu"))


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_asked_for_is_taken(asked: str, threads: int) -> None:
    assert precision.choose(asked, tiny(), batch(), threads) == Numerics(asked, False, threads)


@pytest.mark.parametrize("kind", [None, Duel])
def test_a_choice_leaves_the_model_and_the_noise_alone(kind: Any) -> None:
    model: Model = tiny(kind) if kind else tiny()
    before, noise = {k: v.clone() for k, v in model.state_dict().items()}, batch()
    state, mode = noise.generator.get_state(), model.training
    chosen = precision.choose("auto", model, noise, 0)
    assert chosen.precision in ("float32", "bfloat16")
    assert chosen.threads >= 1
    assert same(dict(model.state_dict()), before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(noise.generator.get_state(), state)
    assert model.training == mode


def test_the_fastest_is_chosen_and_only_if_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_native_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "_cores", lambda: 2)

    def chosen(seconds: dict[tuple[str, bool, int], float]) -> Numerics:
        def timed(_: object, n: Numerics, limit: float) -> float:
            return seconds.get((n.precision, n.channels_last, n.threads), 10.0)

        monkeypatch.setattr(precision._Trial, "_seconds", timed)
        return precision.choose("auto", tiny(), batch(), 0)

    plain = {("float32", False, 1): 1.0}
    assert chosen(plain) == Numerics("float32", False, 1)
    assert chosen({**plain, ("bfloat16", False, 1): 0.99}) == Numerics("float32", False, 1)
    fast = {**plain, ("bfloat16", False, 1): 0.6, ("bfloat16", True, 1): 0.5}
    assert chosen(fast) == Numerics("bfloat16", True, 1)
    assert chosen({**fast, ("bfloat16", True, 2): 0.3}) == Numerics("bfloat16", True, 2)
    assert chosen({**fast, ("bfloat16", True, 2): 0.48}) == Numerics("bfloat16", True, 1)


@pytest.mark.parametrize(("name", "dtype"), [("float32", "float32"), ("bfloat16", "bfloat16")])
def test_the_arithmetic_is_what_it_says(name: str, dtype: str) -> None:
    numerics = Numerics(name, False, 1)
    with numerics.autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, dtype)


def test_a_layout_changes_the_order_in_memory_and_no_value() -> None:
    numerics = Numerics("float32", True, 1)
    convolution = torch.nn.Conv2d(3, 4, 3)
    before = convolution.weight.detach().clone()
    numerics.place(convolution)
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(convolution.weight, before)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(numerics.arrange(x), x)
    assert numerics.arrange(x).is_contiguous(memory_format=torch.channels_last)
    tokens = torch.zeros(2, 9, dtype=torch.long)
    assert numerics.arrange(tokens) is tokens


@pytest.mark.parametrize("numerics", [Numerics("float32", False, 1), Numerics("bfloat16", True, 8)])
def test_a_choice_is_kept_as_json(numerics: Numerics) -> None:
    assert Numerics(**json.loads(json.dumps(numerics.state()))) == numerics
    assert numerics.precision in numerics.caption


def test_a_device_is_there_or_named_in_one_sentence() -> None:
    there = [name for name, _ in precision.devices()]
    assert there[-1] == "cpu"
    assert precision.device_of("cpu") == torch.device("cpu")
    assert str(precision.device_of("auto")) == there[0]
    for missing in ("cuda:99", "tpu", "", "CPU"):
        with pytest.raises(ConfigError, match=f"there is no device '{missing}' here; there is"):
            precision.device_of(missing)
