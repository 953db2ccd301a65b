"""Attention against PyTorch's own, grouped queries, RMS norm, rotary positions, gradients."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backends.nets import attention
from backends.nets.attention import attend, causal_attention, rms_norm, rotary, rotate
from backends.nets.transformer import SquaredReLU, SwiGLU, Transformer

CAUSAL: dict[str, Any] = {"causal": True}
PADDED = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)[:, None, None]


def qkv(heads: int = 4, shared: int = 4, n: int = 5, m: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    sizes = [(2, heads, n, 8), (2, shared, m, 8), (2, shared, m, 8)]
    q, k, v = (torch.randn(size, generator=source) for size in sizes)
    return q, k, v


@pytest.mark.parametrize("most", [0, attention.MOST_SCORES], ids=["kernel", "written out"])
@pytest.mark.parametrize("shared", [1, 2, 4])
@pytest.mark.parametrize("mask", [None, "causal", "padding"])
def test_attention_is_that_of_pytorch(
    most: int, shared: int, mask: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "MOST_SCORES", most)
    q, k, v = qkv(shared=shared)
    kept = PADDED if mask == "padding" else None
    expected = F.scaled_dot_product_attention(
        q, k, v, kept, is_causal=mask == "causal", enable_gqa=True
    )
    assert torch.allclose(attend(q, k, v, kept, causal=mask == "causal"), expected, atol=1e-6)


@pytest.mark.parametrize("shared", [1, 2, 4])
def test_the_last_queries_see_what_they_would_see_among_all(shared: int) -> None:
    q, k, v = qkv(shared=shared)
    whole = causal_attention(q, k, v)
    for n in (1, 2, 4):
        assert torch.allclose(causal_attention(q[:, :, -n:], k, v), whole[:, :, -n:], atol=1e-6)


def test_queries_of_a_group_share_a_key() -> None:
    q, k, v = qkv(shared=2)
    repeated = attend(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1), **CAUSAL)
    assert torch.allclose(attend(q, k, v, **CAUSAL), repeated, atol=1e-6)


def test_in_bfloat16_it_is_near() -> None:
    q, k, v = qkv()
    short = attend(q, k, v.bfloat16(), **CAUSAL)
    assert short.dtype == torch.bfloat16
    assert torch.allclose(short.float(), attend(q, k, v, **CAUSAL), atol=0.05)


def test_grouped_heads_have_fewer_weights_and_a_smaller_cache() -> None:
    few, all_of_them = (
        Transformer(layers=1, heads=4, kv_heads=kv, width=16, context=8) for kv in (1, 0)
    )
    assert few.cache(1).layers[0][0].shape == (1, 1, 8, 4)
    assert all_of_them.cache(1).layers[0][0].shape == (1, 4, 8, 4)
    counts = [sum(p.numel() for p in net.parameters()) for net in (all_of_them, few)]
    assert counts[0] - counts[1] == 16 * 2 * (16 - 4)


def test_a_cache_follows_the_beams() -> None:
    torch.manual_seed(0)
    net = Transformer(layers=2, heads=2, width=16, context=8)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn(p.shape))
        x = torch.randn(3, 4, 16)
        cache = net.cache(3)
        net(x[:, :3], cache)
        cache.reorder(torch.tensor([2, 2, 0]))
        went_on = net(x[:, 3:], cache)
        whole = net(torch.cat([x[[2, 2, 0], :3], x[:, 3:]], dim=1))
    assert torch.allclose(went_on, whole[:, 3:], atol=1e-5)


def test_rms_norm_is_that_of_pytorch_and_so_are_its_gradients() -> None:
    x = torch.randn(4, 3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(rms_norm(x), F.rms_norm(x, (8,)), atol=1e-6)
    assert torch.autograd.gradcheck(rms_norm, x)
    assert torch.autograd.gradgradcheck(rms_norm, x)
    assert rms_norm(x).square().mean(-1).allclose(torch.ones(4, 3, dtype=torch.float64))


def test_rms_norm_of_nothing_is_nothing() -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    rms_norm(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("learns", [True, False])
def test_rms_norm_of_what_is_small_is_one_in_bfloat16_too(learns: bool) -> None:
    x = torch.full((2, 8), 0.01, dtype=torch.bfloat16, requires_grad=learns)
    with torch.set_grad_enabled(learns):
        y = rms_norm(x)
    assert y.dtype == torch.bfloat16
    assert torch.allclose(y.float(), torch.ones(2, 8), atol=0.02)


@pytest.mark.parametrize("kind", [SquaredReLU, SwiGLU])
def test_an_mlp_has_the_gradients_of_its_formula(kind: type[SquaredReLU | SwiGLU]) -> None:
    net = kind(4, 4.0).double()
    with torch.no_grad():
        for p in net.parameters():
            p.normal_()
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(net, x)
    assert torch.autograd.gradgradcheck(net, x)


@settings(deadline=None)
@given(shift=st.integers(0, 40), i=st.integers(0, 20), j=st.integers(0, 20))
def test_rotary_scores_depend_on_the_distance_alone(shift: int, i: int, j: int) -> None:
    turns = rotary(64, 8)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))

    def score(a: int, b: int) -> float:
        turned = [rotate(x[None, None, None], turns[at : at + 1]) for x, at in ((q, a), (k, b))]
        return float((turned[0] * turned[1]).sum())

    assert score(i, j) == pytest.approx(score(i + shift, j + shift), abs=1e-4)


def test_the_first_pair_turns_by_one_radian_a_token() -> None:
    x = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(1, 1, 3, 1)
    turned = rotate(x, rotary(3, 4))[0, 0]
    expected = torch.tensor([[math.cos(t), math.sin(t), 0, 0] for t in range(3)])
    assert torch.allclose(turned, expected, atol=1e-6)
