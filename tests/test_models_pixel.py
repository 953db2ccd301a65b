"""PixelCNN: no pixel sees itself or what comes later, none before is overlooked, bits are exact."""

import math

import pytest
import torch
from torch import Tensor

from backends.autoregressive.pixel import Pixel
from backends.knobs import configure
from backends.model import Batch, DataShape
from backends.nets.pixelcnn import PixelCNN
from backends.records import SampleRequest


def build(
    channels: int = 1, side: int = 6, classes: tuple[str, ...] = (), **knobs: object
) -> Pixel:
    torch.manual_seed(0)
    config = configure(Pixel.Config, {"width": 8, "layers": 4, "levels": "4", **knobs})
    model = Pixel(config, DataShape("image", (channels, side, side), classes))
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))
    return model.eval()


def batch_of(x: Tensor, y: Tensor | None = None) -> Batch:
    return Batch(x, y, torch.Generator().manual_seed(0))


def test_a_pixel_sees_all_before_it_within_reach_and_nothing_else() -> None:
    torch.manual_seed(0)
    net, side = PixelCNN(1, width=8, layers=4).double(), 5
    for layer in net.layers:
        torch.nn.init.normal_(layer.out.weight)  # pyright: ignore
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    features = net(x)
    for i in range(side * side):
        (gradient,) = torch.autograd.grad(
            features[0, :, i // side, i % side].sum(), x, retain_graph=True
        )
        seen = gradient.flatten() != 0
        assert not seen[i:].any(), f"pixel {i} sees itself or what comes later"
        row, column = i // side, i % side
        for j in range(i):
            near = row - j // side + abs(column - j % side) <= 3
            assert seen[j] or not near, f"pixel {i} overlooks {j}"


def test_a_channel_sees_the_channels_before_it() -> None:
    model = build(channels=3)
    h, x = torch.randn(1, 8), torch.tensor([[-1.0, 0.3, 1.0]])
    plain = model.logits(h, x)
    for channel in range(3):
        changed = x.clone()
        changed[0, channel] *= -1
        moved = model.logits(h, changed)
        same = [torch.equal(plain[0, c], moved[0, c]) for c in range(3)]
        assert same == [c <= channel for c in range(3)]


def test_the_likelihoods_of_all_pictures_sum_to_one() -> None:
    model = build(side=2, levels="2")
    total = 0.0
    for code in range(16):
        bits = torch.tensor([code >> i & 1 for i in range(4)]).view(1, 1, 2, 2)
        nats = model.loss(batch_of(model.shown(bits)))["loss"].item() * 4
        total += math.exp(-nats)
    assert total == pytest.approx(1, abs=1e-5)


def test_bits_count_what_the_levels_leave_open() -> None:
    model = build()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    found = model.loss(batch_of(torch.rand(3, 1, 6, 6) * 2 - 1))
    assert found["loss"].item() == pytest.approx(math.log(4), rel=1e-5)
    assert found["bits_per_dim"].item() == pytest.approx(8, rel=1e-5)


@pytest.mark.parametrize("levels", ["2", "8", "256"])
def test_levels_go_there_and_back(levels: str) -> None:
    model = build(levels=levels)
    every = torch.arange(int(levels))
    assert torch.equal(model.quantised(model.shown(every)), every)


@pytest.mark.parametrize("channels", [1, 3])
def test_drawing_pixel_by_pixel_follows_the_whole_network(channels: int) -> None:
    """At temperature 0 every pixel is the likeliest one given all before it."""
    model = build(channels=channels, side=9, layers=1)
    request = SampleRequest(count=2, temperature=0.0)
    x = model.sample(request, torch.Generator().manual_seed(0)).images
    assert x is not None
    logits = model.logits(model.features(x, None), x.permute(0, 2, 3, 1))
    assert torch.equal(model.shown(logits.argmax(-1)).permute(0, 3, 1, 2), x)


def test_the_class_steers() -> None:
    model = build(classes=("a", "b"))
    x = torch.rand(2, 1, 6, 6) * 2 - 1
    one, two = (model.loss(batch_of(x, torch.full((2,), y)))["loss"] for y in (0, 1))
    assert one != two
    drawn = model.sample(SampleRequest(count=3, labels=[1]), torch.Generator().manual_seed(0))
    assert list(drawn.labels) == [1, 1, 1]


def test_rows_above_tell_as_much_through_a_window() -> None:
    """Drawing looks at the rows within reach alone, and must see the places they have."""
    model = build(side=9, layers=1)
    x = torch.rand(1, 1, 9, 9) * 2 - 1
    whole = model.net.from_above(x, None, model.place)
    rows = slice(7 - model.net.reach, 8)
    window = model.net.from_above(x[:, :, rows], None, model.place[:, rows])
    for one, two in zip(whole, window, strict=True):
        torch.testing.assert_close(two[:, :, -1], one[:, :, 7])
    changed = x.clone()
    changed[:, :, 7:] *= -1
    for one, two in zip(whole, model.net.from_above(changed, None, model.place), strict=True):
        assert torch.equal(one[:, :, :8], two[:, :, :8])
