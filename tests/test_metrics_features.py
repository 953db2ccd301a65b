"""Distances and manifolds of features: closed forms, naive twins, copies."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from backends.metrics import neighbours
from backends.metrics.classes import class_divergence, shares
from backends.metrics.frechet import Gaussian, frechet, frechet_distance, gaussian
from backends.metrics.kernel import kernel_distance, squared_mmd
from backends.metrics.manifold import manifold
from backends.metrics.memorisation import authenticity, copied, neighbour_ratio


def normal(count: int, dims: int, seed: int = 0, at: float = 0.0) -> Tensor:
    noise = torch.Generator().manual_seed(seed)
    return at + torch.randn(count, dims, generator=noise)


# --------------------------------------------------------------------------- Fréchet


def test_frechet_of_diagonal_gaussians() -> None:
    """|m1 - m2|² + Σ (s1 - s2)² where the covariances commute."""
    m1, m2 = torch.tensor([[0.0, 1, 2], [1, 1, 0]]).double()
    s1, s2 = torch.tensor([[1.0, 2, 3], [2, 2, 1]]).double()
    found = frechet_distance(Gaussian(m1, s1.square().diag()), Gaussian(m2, s2.square().diag()))
    assert found == pytest.approx(1 + 4 + 1 + 4)


def test_frechet_of_2x2_covariances() -> None:
    """tr (C1 C2)^½ = √(tr C1 C2 + 2 √(det C1 det C2)) for 2 x 2."""
    c1 = torch.tensor([[2.0, 0.9], [0.9, 1.0]]).double()
    c2 = torch.tensor([[1.0, -0.3], [-0.3, 0.5]]).double()
    zero = torch.zeros(2).double()
    overlap = math.sqrt((c1 @ c2).trace() + 2 * math.sqrt(c1.det() * c2.det()))
    expected = (c1.trace() + c2.trace()).item() - 2 * overlap
    assert frechet_distance(Gaussian(zero, c1), Gaussian(zero, c2)) == pytest.approx(expected)


def test_frechet_of_the_same_is_zero_and_symmetric() -> None:
    x, y = normal(50, 80), normal(60, 80, seed=1, at=0.5)  # fewer than dims: singular covariances
    assert frechet(x, x) == pytest.approx(0, abs=1e-4)
    assert frechet(x, y) == pytest.approx(frechet(y, x))
    shifted = frechet(x, x + 0.5)
    assert shifted == pytest.approx(80 * 0.25, rel=1e-5)


def test_frechet_is_computed_in_double_precision() -> None:
    x = normal(200, 8)
    far = frechet(x.double() + 1e4, x.double() + 1e4 + 0.1)
    assert far == pytest.approx(8 * 0.01, rel=1e-6)
    assert gaussian(x).cov.dtype == torch.float64
    assert torch.allclose(gaussian(x).cov, torch.cov(x.T.double()))


@pytest.mark.parametrize("wrong", [torch.zeros(3), torch.zeros(1, 3)])
def test_moments_need_a_matrix_of_two_rows(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be \[N, D\]"):
        gaussian(wrong)


def test_moments_of_what_is_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        gaussian(torch.tensor([[1.0], [math.nan]]))


# --------------------------------------------------------------------------- kernel distance


def test_mmd_is_unbiased() -> None:
    """The mean over all subsets of a population is the population's own value, exactly."""
    x, y = normal(5, 2).double(), normal(5, 2, seed=1, at=0.3).double()
    found = [
        squared_mmd(x[list(a)], y[list(b)])
        for a, b in itertools.product(itertools.combinations(range(5), 3), repeat=2)
    ]
    assert torch.stack(found).mean().item() == pytest.approx(squared_mmd(x, y).item(), rel=1e-9)


def test_mmd_of_one_dimension_is_a_distance_of_moments() -> None:
    """E (x y + 1)³ expands to Σ binomial · moments, so MMD² = 3 Δm1² + 3 Δm2² + Δm3²."""
    x, y = normal(4000, 1), normal(4000, 1, seed=1, at=1.0)
    expected = 3 * 1**2 + 3 * (2 - 1) ** 2 + (4 - 0) ** 2  # of N(0, 1) and N(1, 1)
    assert squared_mmd(x.double(), y.double()).item() == pytest.approx(expected, rel=0.1)


def test_kernel_distance_of_the_same_distribution_is_about_zero_at_any_size() -> None:
    for size in (20, 200):
        found = kernel_distance(normal(400, 8), normal(400, 8, seed=1), size=size, subsets=100)
        assert abs(found.mean) < 4 * found.sd / math.sqrt(100) + 0.01
        assert found.sd > 0
    assert kernel_distance(normal(9, 8), normal(9, 8, seed=1)).sd == pytest.approx(0)  # all of them


def test_kernel_distance_repeats_and_checks() -> None:
    x, y = normal(100, 4), normal(80, 4, seed=1, at=1.0)
    assert kernel_distance(x, y, size=30) == kernel_distance(x, y, size=30)
    assert kernel_distance(x, y, size=30).mean > 1
    with pytest.raises(ValueError, match="features must be"):
        kernel_distance(x, y[:, :2])


# --------------------------------------------------------------------------- neighbours, manifolds


def naive(real: Tensor, samples: Tensor, k: int) -> list[float]:
    """Precision, recall, density, coverage as their papers write them."""
    rr, ss, rs = ([[math.dist(a, b) for b in y] for a in x] for x, y in _pairs(real, samples))
    reach = [sorted(row)[k] for row in rr]
    sample_reach = [sorted(row)[k] for row in ss]
    n, m = range(len(rs)), range(len(rs[0]))
    return [
        sum(any(rs[i][j] < reach[i] for i in n) for j in m) / len(m),
        sum(any(rs[i][j] < sample_reach[j] for j in m) for i in n) / len(n),
        sum(rs[i][j] < reach[i] for i in n for j in m) / (k * len(m)),
        sum(any(rs[i][j] < reach[i] for j in m) for i in n) / len(n),
    ]


def _pairs(real: Tensor, samples: Tensor) -> list[tuple[list[list[float]], list[list[float]]]]:
    x, y = real.tolist(), samples.tolist()
    return [(x, x), (y, y), (x, y)]


@pytest.mark.parametrize("rows", [7, 64])
def test_manifolds_equal_a_naive_twin(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", rows)
    real, samples = normal(60, 3), 1.3 * normal(50, 3, seed=1, at=0.4)
    found = manifold(real, samples, k=3)
    expected = naive(real, samples, 3)
    assert [found.precision, found.recall, found.density, found.coverage] == pytest.approx(expected)


def test_manifolds_of_copies_and_of_strangers() -> None:
    real = normal(40, 3)
    same = manifold(real, real)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    far = manifold(real, real + 100)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match="neighbour number 5"):
        manifold(real[:5], real)


def test_neighbours_are_exact_and_in_order() -> None:
    x, y = normal(9, 4), normal(30, 4, seed=1)
    distances, indices = neighbours.nearest(x, y, k=3)
    full = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    expected = full.topk(3, largest=False)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances, expected.values, rtol=1e-12)
    assert torch.allclose(
        neighbours.nearest_other(y).square(), neighbours.kth_squares(y, 1), rtol=1e-9
    )


# --------------------------------------------------------------------------- memorisation


def test_copies_are_told_from_new_samples() -> None:
    train, held, new = (normal(300, 6, seed=s) for s in (0, 1, 2))
    copies = train[:100] * 1.0
    assert neighbour_ratio(copies, train, held) == 0
    assert authenticity(copies, train) == 0
    assert copied(copies, train) == 1
    assert neighbour_ratio(new, train, held) == pytest.approx(1, abs=0.1)
    assert 0.4 < authenticity(new, train) < 0.8
    assert copied(new, train) < 0.05
    assert authenticity(new + 50, train) == 1


def test_authenticity_by_hand() -> None:
    """Neighbours on a line at 0, 1, 3: the nearest other one is 1, 1 and 2 away."""
    train = torch.tensor([[0.0], [1.0], [3.0]])
    samples = torch.tensor([[-0.5], [-2.0], [4.5], [6.0]])  # 0.5 < 1, 2 > 1, 1.5 < 2, 3 > 2
    assert authenticity(samples, train) == 0.5
    assert neighbour_ratio(samples, train, torch.tensor([[1.5]])) == pytest.approx(1.5 / 0.5)


def test_a_held_out_set_that_was_trained_on_is_noticed() -> None:
    train = normal(20, 2)
    assert neighbour_ratio(train + 1, train, train) == math.inf


# --------------------------------------------------------------------------- classes


def test_class_divergence_by_hand() -> None:
    assert class_divergence(torch.arange(10).repeat(3), 10) == 0
    assert class_divergence(torch.full((7,), 3), 10) == pytest.approx(math.log(10))
    y, real = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert class_divergence(y, 2, real) == pytest.approx(expected)
    assert class_divergence(y, 2, torch.tensor([0, 0])) == math.inf
    assert shares(y, 3).tolist() == [0.75, 0.25, 0]


def test_labels_out_of_range_are_refused() -> None:
    for wrong in (torch.tensor([3]), torch.tensor([-1]), torch.tensor([], dtype=torch.int64)):
        with pytest.raises(ValueError, match="from 0 to 2"):
            shares(wrong, 3)
