"""The classifier that features come from: it learns, repeats, and its hash tells it from others."""

import pytest
import torch
from torch import Tensor

from backends.metrics.classifier import (
    FEATURES,
    Classifier,
    accuracy,
    accuracy_score,
    features,
    fit,
    predictions,
)


def bars(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noisy pictures [N, 1, 8, 8] with an upright bar (class 0) or a level one (class 1)."""
    noise = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(count, 1, 8, 8, generator=noise) - 0.5
    y = torch.arange(count) % 2
    for i, place in enumerate(torch.randint(1, 7, (count,), generator=noise).tolist()):
        bar = x[i, 0, :, place] if y[i] == 0 else x[i, 0, place, :]
        bar += 1
    return x.clamp(-1, 1), y


@pytest.fixture(scope="module")
def net() -> Classifier:
    return fit(*bars(200), 2, steps=60)


def test_it_learns(net: Classifier) -> None:
    x, y = bars(100, seed=1)
    assert accuracy(net, x, y) > 0.95
    assert torch.equal(predictions(net, x, batch=7), predictions(net, x))


def test_features_are_of_one_picture_each(net: Classifier) -> None:
    x, _ = bars(20, seed=1)
    found = features(net, x)
    assert found.shape == (20, FEATURES)
    assert (found >= 0).all()
    assert torch.allclose(features(net, x, batch=3), found, atol=1e-5)


def test_features_are_in_units_of_their_spread(net: Classifier) -> None:
    found = features(net, bars(200)[0])
    assert found.var(0).sum().item() == pytest.approx(FEATURES, rel=1e-4)


def test_the_same_seed_gives_the_same_weights_and_hash() -> None:
    x, y = bars(64)
    before = torch.get_rng_state()
    one, two, other = (fit(x, y, 2, steps=3, seed=seed) for seed in (0, 0, 1))
    assert one.digest == two.digest != other.digest
    assert len(one.digest) == 12
    assert torch.equal(torch.get_rng_state(), before)


def test_accuracy_score_tells_good_labels_from_wrong_ones() -> None:
    x, y = bars(200)
    real = bars(100, seed=1)
    assert accuracy_score(x, y, *real, 2, steps=60) > 0.95
    assert accuracy_score(x, 1 - y, *real, 2, steps=60) < 0.05


@pytest.mark.parametrize("size", [(1, 4, 4), (3, 28, 28), (1, 9, 17)])
def test_pictures_of_other_sizes(size: tuple[int, int, int]) -> None:
    x = torch.randn(5, *size)
    assert Classifier(size[0], 3)(x).shape == (5, 3)
