"""The order of data: a pure function of (seed, epoch, index)."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.data import Dataset, Images, Order, Tokens, held_out, permutation
from backends.model import DataShape
from backends.seeds import generator, mix, seed_of

seeds = st.integers(0, 2**63 - 1)


def numbered(n: int, *, flip: bool = False) -> Images:
    """Pictures whose label is their index, and whose left half is darker than the right."""
    pixels = torch.zeros(n, 1, 2, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    return Images(pixels, torch.arange(n), flip)


def seen(order: Order, steps: range) -> list[int]:
    labels = [order.batch(step)[1] for step in steps]
    return [i for y in labels if y is not None for i in y.tolist()]


@given(n=st.integers(1, 60), batch=st.integers(1, 90), seed=seeds)
@settings(max_examples=60, deadline=None)
def test_every_epoch_is_a_permutation(n: int, batch: int, seed: int) -> None:
    order = Order(numbered(n), batch, seed)
    stream = seen(order, range(-(-3 * n // batch)))
    for epoch in range(3):
        assert sorted(stream[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_a_batch_depends_on_its_step_alone() -> None:
    forward = [Order(numbered(50, flip=True), 16, 7).batch(step) for step in range(9)]
    for step in reversed(range(9)):
        x, y = Order(numbered(50, flip=True), 16, 7).batch(step)
        expected_x, expected_y = forward[step]
        assert torch.equal(x, expected_x)
        assert y is not None
        assert expected_y is not None
        assert torch.equal(y, expected_y)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = Order(numbered(100), 100, 1)
    first = seen(order, range(1))
    assert first != seen(order, range(1, 2))
    assert first != seen(Order(numbered(100), 100, 2), range(1))
    assert first != list(range(100))


def test_epochs_join_without_a_gap() -> None:
    order = Order(numbered(10), 4, 3)
    assert seen(order, range(5)) == seen(Order(numbered(10), 20, 3), range(1))


@given(seed=seeds, batch=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_mirroring_does_not_depend_on_the_batch(seed: int, batch: int) -> None:
    """An item of an epoch is mirrored or not, whichever batch it comes in."""

    def mirrored(size: int) -> dict[int, bool]:
        order = Order(numbered(40, flip=True), size, seed)
        found: dict[int, bool] = {}
        for step in range(-(-40 // size)):
            x, y = order.batch(step)
            assert y is not None
            for picture, label in zip(x, y.tolist(), strict=True):
                found.setdefault(label, bool(picture[0, 0, 0] > 0))
        return found

    assert mirrored(batch) == mirrored(40)


def test_about_half_is_mirrored_and_others_each_epoch() -> None:
    order = Order(numbered(2000, flip=True), 2000, 5)
    flags = []
    for step in range(2):
        x, y = order.batch(step)
        assert y is not None
        flags.append((x[:, 0, 0, 0] > 0)[y.argsort()])
    assert 900 < int(flags[0].sum()) < 1100
    assert 900 < int((flags[0] ^ flags[1]).sum()) < 1100


def test_pictures_are_scaled_to_minus_one_to_one() -> None:
    x, y = Images(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).fetch(
        torch.tensor([0]), torch.tensor([0]), 0
    )
    assert x.flatten().tolist() == [-1, 1]
    assert y is None


@given(n=st.integers(2, 3000), share=st.floats(0.001, 0.5))
@settings(max_examples=60, deadline=None)
def test_splits_are_disjoint_and_cover_all(n: int, share: float) -> None:
    train, held = held_out(n, share)
    assert sorted(train.tolist() + held.tolist()) == list(range(n))
    assert len(train) >= 1
    assert len(held) == min(max(1, round(n * share)), n - 1)
    assert torch.equal(held, held_out(n, share)[1])


@given(length=st.integers(0, 300), context=st.integers(1, 40), epoch=seeds)
@settings(max_examples=100, deadline=None)
def test_windows_stay_within_the_text(length: int, context: int, epoch: int) -> None:
    for shift in (False, True):
        tokens = Tokens(torch.arange(length), context, shift)
        n = len(tokens)
        if not n:
            assert length < (2 * context if shift else context + 1)
            continue
        x, _ = tokens.fetch(torch.arange(n), torch.zeros(n), epoch)
        assert x.shape == (n, context + 1)
        assert torch.equal(x.diff(), torch.ones_like(x[:, 1:]))
        assert torch.equal(x[1:, 0], x[:-1, -1])


def test_shifted_windows_begin_elsewhere_each_epoch() -> None:
    order = Order(Tokens(torch.arange(1000), 50, shift=True), 19, 1)
    begins = {int(order.batch(step)[0][:, 0].min()) for step in range(6)}
    assert len(begins) > 3
    assert all(begin < 50 for begin in begins)


def test_data_can_be_moved_as_a_whole() -> None:
    shape = DataShape("image", (1, 2, 2), tuple("abc"))
    data = Dataset(shape, numbered(3, flip=True), Tokens(torch.arange(9), 2), ("note",))
    moved = data.to(torch.device("cpu"))
    assert moved.notices == data.notices
    assert isinstance(moved.train, Images)
    assert moved.train.flip
    assert len(moved.validation) == len(data.validation)


def test_permutations_are_remembered_within_reason() -> None:
    first = permutation(10, 1)
    for key in range(2, 9):
        permutation(10, key)
    assert torch.equal(permutation(10, 1), first)


@pytest.mark.parametrize("key", [0, 1, 2**62, 2**63 - 1])
def test_hashes_are_spread(key: int) -> None:
    hashes = mix(torch.arange(10_000), key)
    assert len(hashes.unique()) == 10_000
    assert int(hashes.min()) >= 0
    for bit in (0, 1, 30, 61):
        assert 4700 < int(((hashes >> bit) & 1).sum()) < 5300


def test_purposes_have_generators_of_their_own() -> None:
    keys = {
        seed_of(seed, step, purpose, rank)
        for seed in (0, 1)
        for step in (0, 1)
        for purpose in ("order", "noise")
        for rank in (0, 1)
    }
    assert len(keys) == 16
    assert all(0 <= key < 2**63 for key in keys)
    draws = [torch.rand(3, generator=generator(0, 1, "noise", "cpu")) for _ in range(2)]
    assert torch.equal(*draws)
