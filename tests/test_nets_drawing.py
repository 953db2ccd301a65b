"""Tokens come as often as the softmax says, of those that top_k and top_p leave."""

import pytest
import torch
from torch import Tensor

from backends.nets.drawing import draw, nucleus

LOGITS = torch.tensor([0.0, 1.0, 2.0, -1.0])


def shares(
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    many = LOGITS.repeat(40_000, 1)
    drawn = draw(many, temperature, top_k, top_p, torch.Generator().manual_seed(0))
    return torch.bincount(drawn, minlength=4) / len(drawn)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature: float) -> None:
    assert torch.allclose(shares(temperature), (LOGITS / temperature).softmax(0), atol=0.01)


def test_top_k_draws_from_the_k_likeliest_alone() -> None:
    assert torch.allclose(shares(top_k=2), torch.tensor([0, 0.2689, 0.7311, 0]), atol=0.01)
    assert torch.allclose(shares(top_k=99), LOGITS.softmax(0), atol=0.01)


def test_top_p_draws_from_the_fewest_that_have_it() -> None:
    """The softmax is 0.087, 0.237, 0.644, 0.032."""
    assert torch.allclose(shares(top_p=0.6), torch.tensor([0.0, 0, 1, 0]))
    assert torch.allclose(shares(top_p=0.7), torch.tensor([0, 0.2689, 0.7311, 0]), atol=0.01)
    assert torch.allclose(shares(top_p=1.0), LOGITS.softmax(0), atol=0.01)


def test_top_k_comes_before_top_p() -> None:
    """Of two tokens the likelier has 0.731, of all 0.644."""
    assert shares(top_k=2, top_p=0.7)[2] == 1


def test_the_likeliest_token_is_certain() -> None:
    for certain in ({"temperature": 0.0}, {"temperature": 1e-30}, {"top_k": 1}, {"top_p": 0.0}):
        assert shares(**certain)[2] == 1


def test_a_nucleus_is_drawn_for_every_row() -> None:
    rows = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    kept = nucleus(rows, 0.6)
    assert kept.tolist() == [[0.5, rows[0, 1].item(), 0], [0, 0, rows[1, 2].item()]]
