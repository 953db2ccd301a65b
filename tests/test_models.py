"""Every generator that is found: it draws what it says it can be asked for, and nothing else."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import smallest
from torch import Tensor

from backends import catalogue, samples
from backends.evaluation import held_batch
from backends.knobs import knobs
from backends.model import INPUTS, Batch, Model, RequestError
from backends.precision import Numerics
from backends.records import SampleRequest
from backends.watching import Observer, watched_by

MODELS = catalogue.models()
ASKED: dict[str, Any] = {
    "labels": [0],
    "length": 3,
    "temperature": 0.5,
    "top_k": 2,
    "top_p": 0.5,
    "beams": 2,
    "steps": 2,
    "guidance": 2.0,
    "truncation": 0.3,
    "interpolate": True,
    "strength": 0.4,
    "around": 1,
    "spread": 0.5,
}
NUMERICS = Numerics("float32", False, 1)


def built(name: str) -> Model:
    """The smallest model of that name, its weights moved and its inputs observed."""
    model, dataset = smallest(name)
    model.observe(held_batch(dataset.validation, INPUTS, torch.device("cpu")))
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=noise))
    return model.eval()


def pictures(model: Model, folder: Path) -> dict[str, str]:
    """A picture of the data's size, and a mask that is white in its left half."""
    channels, height, width = model.shape.size[:3]
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(folder / "image.png")
    Image.fromarray(mask).save(folder / "mask.png")
    return {"image": str(folder / "image.png"), "mask": str(folder / "mask.png")}


def prompt_of(model: Model) -> str:
    """Some words that the model's vocabulary can spell."""
    vocabulary = model.shape.vocabulary
    assert vocabulary is not None
    return vocabulary.decode([i % vocabulary.size for i in range(4, 7)])


def asked(model: Model, field: str, folder: Path) -> SampleRequest:
    given: dict[str, Any] = {}
    if field in ("image", "mask", "strength"):
        files = pictures(model, folder)
        given = {"image": files["image"]} | ({"mask": files["mask"]} if field == "mask" else {})
    if field == "spread":
        given = {"around": 0}
    if field == "prompt":
        given = {"prompt": prompt_of(model)}
    elif field in ASKED:
        given[field] = ASKED[field]
    if "length" in model.asks:
        given.setdefault("length", 3)
    return SampleRequest(count=2, seed=3, **given)


@pytest.mark.parametrize("name", MODELS)
def test_it_draws_whatever_it_can_be_asked_for(name: str, tmp_path: Path) -> None:
    model = built(name)
    for field in sorted(model.asks):
        request = asked(model, field, tmp_path)
        for folder in ("one", "two"):
            count = samples.write(
                tmp_path / folder, samples.draw(model, request, NUMERICS), request
            )
            assert count >= 1, field
        names = sorted(path.name for path in (tmp_path / "one").iterdir())
        assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
        for file in names:
            one, two = ((tmp_path / folder / file).read_bytes() for folder in ("one", "two"))
            assert one == two, f"{field} is not a function of the request: {file}"


@pytest.mark.parametrize("name", MODELS)
def test_what_it_cannot_be_asked_for_is_refused(name: str) -> None:
    model, _ = smallest(name)
    for field in set(ASKED) - set(model.asks):
        with pytest.raises(RequestError, match=f"cannot be asked for {field}; it offers"):
            model.check(SampleRequest(count=1, **{field: ASKED[field]}))
    for field, bad in (("temperature", -1), ("top_p", 2), ("guidance", 1e9), ("strength", 3)):
        if field in model.asks:
            given: dict[str, Any] = {field: bad}
            with pytest.raises(RequestError, match=f"{field} must be at least"):
                model.check(SampleRequest(count=1, **given))


@pytest.mark.parametrize("name", [name for name in MODELS if "around" in catalogue.load(name).asks])
def test_neighbours_of_a_sample_begin_with_itself_and_spread_as_asked(name: str) -> None:
    model = built(name)
    plain = samples.draw(model, SampleRequest(count=4, seed=3), NUMERICS)
    close, far = (
        samples.draw(model, SampleRequest(count=4, seed=3, around=2, spread=spread), NUMERICS)
        for spread in (0.0, 1.0)
    )
    if plain.images is None:
        assert close.texts[0] == plain.texts[2] or "temperature" in model.usual()
        return
    assert close.images is not None
    assert far.images is not None
    for image in close.images:
        torch.testing.assert_close(image, plain.images[2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(far.images[0], plain.images[2], atol=1e-5, rtol=1e-5)
    assert (far.images[1] - far.images[0]).abs().max() > 1e-4
    assert set(close.labels) == set(plain.labels[2:3])


@pytest.mark.parametrize("name", MODELS)
def test_what_a_request_leaves_open_is_as_the_model_says(name: str) -> None:
    model = built(name)
    alone = set(model.asks) - {"spread", "strength"}  # these need another field beside them
    usual: dict[str, Any] = {k: value for k, value in model.usual().items() if k in alone}
    short: dict[str, Any] = {"length": 3} if "length" in model.asks else {}
    one, two = (
        samples.draw(model, SampleRequest(count=2, seed=3, **{**given, **short}), NUMERICS)
        for given in ({}, usual)
    )
    for field in ("images", "audio"):
        if getattr(one, field) is not None:
            assert torch.equal(getattr(one, field), getattr(two, field))
    assert one.texts == two.texts


def has_labels(name: str) -> bool:
    kind = catalogue.load(name)
    return "conditional" in {knob.name for knob in knobs(kind.Config)}


@pytest.mark.parametrize("name", [name for name in MODELS if has_labels(name)])
def test_a_model_that_is_not_to_look_at_labels_does_not(name: str) -> None:
    model, dataset = smallest(name, conditional=False)
    assert dataset.shape.num_classes > 1
    x = held_batch(dataset.train, 4, torch.device("cpu")).x
    losses = []
    for label in (0, 1):
        copied = deepcopy(model)  # a loss may move running averages
        y = torch.full((4,), label)
        for phase in copied.phases():
            noise = torch.Generator().manual_seed(1)
            losses.append(phase.loss(Batch(x, y, noise))["loss"].item())
    assert losses[: len(losses) // 2] == losses[len(losses) // 2 :]
    assert "guidance" not in model.asks
    with pytest.raises(RequestError):
        model.check(SampleRequest(count=1, labels=[0]))


class Witness(Observer):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.pictures: list[torch.Size] = []
        self.tokens = 0

    def advanced(self, share: float) -> None:
        self.shares.append(share)

    def pictured(self, first: int, images: Tensor, seen: Tensor | None = None) -> None:
        self.pictures.append(images.shape)

    def chose(self, first: int, ids: Tensor, logits: Tensor) -> None:
        assert len(ids) == len(logits)
        self.tokens += len(ids)


@pytest.mark.parametrize("name", MODELS)
def test_watching_changes_no_bit_and_is_told_how_far_it_is(name: str, tmp_path: Path) -> None:
    model, witness = built(name), Witness()
    short: dict[str, Any] = {"length": 3} if "length" in model.asks else {}
    request = SampleRequest(count=2, seed=3, **short)
    samples.write(tmp_path / "alone", samples.draw(model, request, NUMERICS), request)
    with watched_by(witness):
        samples.write(tmp_path / "watched", samples.draw(model, request, NUMERICS), request)
    for file in (tmp_path / "alone").iterdir():
        assert file.read_bytes() == (tmp_path / "watched" / file.name).read_bytes(), file.name
    assert witness.shares == sorted(witness.shares)
    assert not witness.shares or witness.shares[-1] == pytest.approx(1)
    family = name.partition("/")[0]
    assert family != "diffusion" or len(witness.pictures) == len(witness.shares) > 0
    assert family != "autoregressive" or witness.shares or witness.tokens or "series" in name
