"""Muon: orthogonal steps, the same in a batch as alone, and AdamW for what is no matrix."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from backends.optimizers import MOMENTUM, Muon, newton_schulz, optimizer_of, orthogonal
from backends.recipe import TrainConfig


def matrices(*shapes: tuple[int, ...]) -> list[Tensor]:
    source = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=source) for shape in shapes]


def toy() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, 6), nn.Linear(6, 12), nn.Linear(12, 6))


def muon(module: nn.Module, **changes: Any) -> torch.optim.Optimizer:
    return optimizer_of(module, TrainConfig(optimizer="muon", lr=0.01, **changes))


def give_gradients(module: nn.Module, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.grad = torch.randn(p.shape, generator=source)


@given(rows=st.integers(2, 24), columns=st.integers(2, 24))
def test_singular_values_are_pulled_to_one(rows: int, columns: int) -> None:
    (x,) = matrices((rows, columns))
    u, sigma, v = torch.linalg.svd(x, full_matrices=False)
    x = u @ torch.diag(sigma.clamp(min=0.05 * float(sigma[0]))) @ v
    (found,) = orthogonal([x])
    assert found.shape == x.shape
    pulled = torch.linalg.svdvals(found)
    assert pulled.min() > 0.6
    assert pulled.max() < 1.25


def test_the_directions_stay() -> None:
    """U Σ Vᵀ becomes U S Vᵀ: with U and V taken away it is diagonal."""
    (x,) = matrices((6, 9))
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    left = u.T @ newton_schulz(x[None])[0] @ v.T
    assert torch.allclose(left, torch.diag(left.diagonal()), atol=1e-4)


def test_a_batch_gives_what_each_gives_alone() -> None:
    """Lying and standing matrices, and kernels of convolutions, are computed together."""
    many = matrices((6, 12), (12, 6), (6, 12), (4, 4), (6, 3, 2, 2))
    together = orthogonal(many)
    for x, found in zip(many, together, strict=True):
        (alone,) = orthogonal([x])
        assert found.shape == x.shape
        assert torch.allclose(found, alone, atol=1e-5)
    assert torch.allclose(together[1], orthogonal([many[1].T])[0].T, atol=1e-5)


def test_bfloat16_is_good_enough() -> None:
    (x,) = matrices((32, 64))
    (found,) = orthogonal([x], torch.bfloat16)
    assert found.dtype == torch.float32
    assert torch.linalg.svdvals(found).min() > 0.5
    assert torch.linalg.svdvals(found).max() < 1.3


@pytest.mark.parametrize("shape", [(6, 12), (12, 6)])
def test_the_first_step_is_what_the_paper_says(shape: tuple[int, int]) -> None:
    """-rate · sqrt(max(1, rows / columns)) · UVᵀ of (1 - μ + μ (1 - μ)) times the gradient."""
    layer = nn.Linear(shape[1], shape[0], bias=False)
    before = layer.weight.detach().clone()
    optimizer = muon(layer, matrix_lr=2.0)
    (layer.weight.grad,) = matrices(shape)
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * group["lr_scale"]
    optimizer.step()
    (turned,) = orthogonal(matrices(shape))
    expected = -0.02 * max(1, shape[0] / shape[1]) ** 0.5 * turned
    assert torch.allclose(layer.weight - before, expected, atol=1e-6)
    momentum = (1 - MOMENTUM) * layer.weight.grad
    assert torch.allclose(optimizer.state[layer.weight]["momentum"], momentum)


def test_what_is_no_matrix_follows_adamw() -> None:
    module, plain = toy(), toy()
    mine = muon(module, beta1=0.8, beta2=0.95)
    assert isinstance(mine, Muon)
    table, bias = plain[0].weight, plain[1].bias
    adam = torch.optim.AdamW([table, bias], lr=0.01, betas=(0.8, 0.95), weight_decay=0)
    for seed in range(3):
        give_gradients(module, seed)
        give_gradients(plain, seed)
        mine.step()
        adam.step()
    assert torch.allclose(module[0].weight, table)
    assert torch.allclose(module[1].bias, bias)
    assert not torch.allclose(module[1].weight, plain[1].weight)


def test_every_parameter_is_in_one_group_and_matrices_have_a_rate_of_their_own() -> None:
    module = toy()
    groups = muon(module, matrix_lr=7.0).param_groups
    assert [group["lr_scale"] for group in groups] == [7.0, 1.0]
    assert [p.shape for p in groups[0]["params"]] == [m.weight.shape for m in module[1:]]
    assert sum(len(group["params"]) for group in groups) == len(list(module.parameters()))


def test_a_model_without_matrices_is_moved_too() -> None:
    module = nn.Embedding(3, 2)
    optimizer = muon(module)
    give_gradients(module, 0)
    before = module.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(module.weight, before)


def test_what_has_no_gradient_stays() -> None:
    module = toy()
    optimizer = muon(module, weight_decay=0.1)
    before = copy.deepcopy(module.state_dict())
    module[1].weight.grad = torch.ones_like(module[1].weight)
    optimizer.step()
    moved = [name for name, value in module.state_dict().items() if not value.equal(before[name])]
    assert moved == ["1.weight"]


def test_restored_it_goes_on_to_the_last_bit() -> None:
    straight = toy()
    first = muon(straight, weight_decay=0.01)
    for seed in range(3):
        give_gradients(straight, seed)
        first.step()
    resumed = copy.deepcopy(straight)
    second = muon(resumed, weight_decay=0.01)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for module, optimizer in ((straight, first), (resumed, second)):
        for seed in range(3, 6):
            give_gradients(module, seed)
            optimizer.step()
    for one, two in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)
