"""Histograms of a training: exact counts in bounded bins, and what they are called."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Duel, Inbox, Tiny, command, points, run, same, tiny
from torch import Tensor, nn

from backends import checkpoints
from backends.histograms import BINS, MOST_PARTS, histogram, parts
from backends.records import Histogram, Record, Sample, Step

numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)


def drawn(records: Sequence[Record]) -> list[Histogram]:
    return [record for record in records if isinstance(record, Histogram)]


def spread(*tensors: Tensor) -> Histogram:
    return histogram("weights/net", tensors, 5)


@given(st.lists(st.lists(numbers, max_size=20), min_size=1, max_size=3))
def test_every_number_is_counted_once(lists: list[list[float]]) -> None:
    found = spread(*(torch.tensor(values) for values in lists))
    known = [value for values in lists for value in values if math.isfinite(value)]
    assert sum(found.counts) == len(known)
    assert found.not_finite == sum(map(len, lists)) - len(known)
    assert len(found.counts) in (1, BINS)
    if known:
        assert (found.least, found.most) == (min(known), max(known))
        assert found.least <= found.low <= found.high <= found.most


def test_counts_are_those_that_numpy_finds() -> None:
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    found = spread(x[:3000].reshape(30, 100), x[3000:])
    edges = np.linspace(found.low, found.high, BINS + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    expected, _ = np.histogram(x.double().numpy(), edges)
    assert np.abs(np.array(found.counts) - expected).max() <= 1  # one may lie on an edge
    assert (found.step, found.name) == (5, "weights/net")


def test_one_wild_value_does_not_empty_the_bins() -> None:
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    x[17] = 1e6
    wild = spread(x)
    assert wild.most == 1e6
    assert wild.high < 1e5
    assert wild.counts[-1] == 1


def test_numbers_that_are_all_one_have_one_bin() -> None:
    found = spread(torch.zeros(3, 4), torch.zeros(2))
    assert (found.low, found.high, found.counts) == (0.0, 0.0, [14])


class Nest(nn.Module):
    """A model with modules within modules, a weight of its own and one that two share."""

    def __init__(self, count: int = 2, inner: int = 3) -> None:
        super().__init__()
        if count > 1:
            self.gain = nn.Parameter(torch.ones(1))
            self.second = nn.Linear(2, 2)
        self.first = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(inner))
        if count > 1:
            self.second.weight = cast(nn.Linear, self.first[0]).weight


def test_parts_are_the_top_level_modules() -> None:
    found = parts(Nest())
    assert {name: len(weights) for name, weights in found.items()} == {
        "gain": 1,
        "second": 2,
        "first": 2,  # the third is the second's as well
    }


def test_a_module_that_holds_everything_is_looked_into() -> None:
    assert list(parts(Nest(1))) == ["first.0", "first.1", "first.2"]
    assert list(parts(nn.Linear(2, 2))) == ["weight", "bias"]
    assert list(parts(nn.Sequential(nn.Linear(2, 2, bias=False)))) == ["0.weight"]


def test_there_are_never_too_many_parts() -> None:
    found = parts(Nest(1, 40))
    assert len(found) == MOST_PARTS
    assert list(found)[-1] == "the rest"
    assert sum(map(len, found.values())) == 40


def test_a_training_writes_none_unless_it_is_asked_to(tmp_path: Path) -> None:
    assert drawn(run(tmp_path)) == []


def test_a_training_writes_its_weights_and_gradients_part_by_part(tmp_path: Path) -> None:
    records = run(tmp_path, tiny(Duel), histogram_every=4, sample_every=4)
    found = drawn(records)
    both = [f"{what}/{name}" for name in ("judge", "maker") for what in ("weights", "gradients")]
    assert [(each.step, each.name) for each in found] == [(s, n) for s in (4, 8) for n in both]
    kinds = [type(r) for r in records if r.step == 4 and isinstance(r, Step | Histogram | Sample)]
    assert kinds == [Step, *[Histogram] * 4, Sample]


@pytest.mark.parametrize("kind", [Tiny, Duel])
def test_writing_them_leaves_every_bit_of_the_training(tmp_path: Path, kind: Any) -> None:
    quiet, seen = tiny(kind), tiny(kind)
    plain = points(run(tmp_path / "quiet", quiet))
    noted = points(run(tmp_path / "seen", seen, histogram_every=1))
    assert same(quiet.state_dict(), seen.state_dict())
    assert same(plain, noted)
    one, two = (
        checkpoints.load_newest(tmp_path / name / "checkpoints") for name in ("quiet", "seen")
    )
    assert one is not None
    assert two is not None
    assert same((one[1]["ema"], one[1]["optimizers"]), (two[1]["ema"], two[1]["optimizers"]))


def test_histograms_can_be_turned_on_while_it_trains(tmp_path: Path) -> None:
    inbox = Inbox({3: [command("set", knob="histogram_every", value=2)]})
    assert {each.step for each in drawn(run(tmp_path, inbox=inbox))} == {4, 6, 8}
