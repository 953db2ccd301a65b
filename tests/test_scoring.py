"""Scores of a checkpoint: the same for the same, better for what is better, named honestly."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SIDE, Tiny, pictures, smallest, tiny
from torch import Tensor

from backends.data import Dataset, Images
from backends.feature_spaces import shrunk, space_of
from backends.metrics import classifier
from backends.model import DataShape, Model, Samples
from backends.precision import Numerics
from backends.records import SampleRequest, Score
from backends.scoring import LEAST_COUNT, Exam, scores


class Copier(Tiny):
    """Draws what it has learned by heart."""

    def __init__(self, shape: DataShape) -> None:
        super().__init__(shape)
        self.known: Tensor = torch.empty(0)

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        places = torch.randint(len(self.known), (request.count,), generator=generator)
        return Samples(self.known[places])


@pytest.fixture(autouse=True)
def quick_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = classifier.fit
    monkeypatch.setattr(classifier, "fit", lambda x, y, n: fit(x, y, n, steps=3))


def striped(count: int = 300, *, labels: bool = True) -> Dataset:
    """Bright and dark pictures with noise; a third of them is held out."""
    noise = torch.Generator().manual_seed(2)
    y = torch.arange(count) % 2
    base = torch.where(y == 0, 60, 190)[:, None, None, None]
    x = base + torch.randint(-40, 40, (count, 1, SIDE, SIDE), generator=noise)
    held = count // 3
    shape = pictures().shape if labels else replace(pictures().shape, classes=())
    train, test = (
        Images(x[rows].to(torch.uint8), y[rows] if labels else None)
        for rows in (slice(held, None), slice(held))
    )
    return Dataset(shape, train, test)


def exam(folder: Path, model: Model, **changes: Any) -> list[Score]:
    usual = {"dataset": striped(), "step": 5, "batch_size": 32, "count": 100}
    numerics = Numerics("float32", False, 1)
    fields = {**usual, "model": model.eval(), "numerics": numerics, "folder": folder, **changes}
    return list(scores(Exam(**fields)))


def told(found: Sequence[Score]) -> dict[str, Any]:
    return {score.metric: score.value for score in found}


def untimed(found: Sequence[Score]) -> list[tuple[Any, ...]]:
    return [
        (s.metric, s.features, s.value, s.spread, s.reference, s.count, s.real, s.seed)
        for s in found
    ]


def test_the_same_checkpoint_data_and_seed_have_the_same_scores(tmp_path: Path) -> None:
    first = exam(tmp_path / "one", tiny())
    again = exam(tmp_path / "one", tiny())  # with the classifier that was kept
    afresh = exam(tmp_path / "two", tiny())  # with one that learns anew
    assert untimed(first) == untimed(again) == untimed(afresh)
    assert untimed(exam(tmp_path / "one", tiny(), seed=1)) != untimed(first)


def test_pictures_like_the_data_score_better_than_one_picture_in_all_shades(tmp_path: Path) -> None:
    good, bad = tiny(Copier), tiny(Copier)
    assert isinstance(good, Copier)
    assert isinstance(bad, Copier)
    good.known, _ = striped().train.fetch(torch.arange(200), torch.zeros(200), 0)
    bad.known = torch.linspace(-1, 1, 200)[:, None, None, None].expand(-1, 1, SIDE, SIDE)
    one, two = (told(exam(tmp_path, model)) for model in (good, bad))
    for metric in ("fd", "kid"):
        assert one[metric] < two[metric]
    for metric in ("recall", "coverage"):
        assert one[metric] > two[metric]
    assert one["copied"] == 1.0  # what no distance to real data tells
    assert two["copied"] < 0.5


def test_a_score_says_what_it_was_measured_with(tmp_path: Path) -> None:
    found = {score.metric: score for score in exam(tmp_path, tiny())}
    fd, loss = found["fd"], found["loss"]
    assert fd.features.startswith("classifier-")
    assert (fd.step, fd.count, fd.real, fd.better) == (5, 100, 100, "lower")
    assert fd.reference is not None
    assert float(fd.reference) < float(fd.value)
    assert (loss.features, loss.count, loss.real, loss.better) == ("", 0, 100, "")
    assert not any("fid" in metric for metric in found)


def test_without_classes_pictures_are_compared_shrunk(tmp_path: Path) -> None:
    dataset = striped(labels=False)
    torch.manual_seed(0)
    found = exam(tmp_path, Tiny(dataset.shape), dataset=dataset)
    assert {score.features for score in found} == {"", "pixels-8x8"}
    assert not list(tmp_path.iterdir())
    x = torch.randn(3, 2, 16, 16)
    assert shrunk(x).shape == (3, 128)
    assert torch.allclose(shrunk(x)[0, 0], x[0, 0, :2, :2].mean())


def test_a_classifier_that_cannot_be_read_is_learned_anew(tmp_path: Path) -> None:
    name = space_of(striped(), tmp_path).name
    (kept,) = tmp_path.glob("*.safetensors")
    kept.write_bytes(b"damaged")
    assert space_of(striped(), tmp_path).name == name


def test_too_few_samples_are_drawn_up_to_the_least(tmp_path: Path) -> None:
    found = [score for score in exam(tmp_path, tiny(), count=1) if score.features]
    assert {score.count for score in found} == {LEAST_COUNT}


def test_it_says_what_it_is_doing(tmp_path: Path) -> None:
    phases: list[str] = []
    exam(tmp_path, tiny(), phase=phases.append)
    assert phases == ["validating", "learning features", "scoring"]


@pytest.mark.parametrize("name", ["autoregressive/gpt", "autoregressive/series"])
def test_other_kinds_have_what_the_model_says_of_held_out_data(name: str, tmp_path: Path) -> None:
    model, dataset = smallest(name)
    found = exam(tmp_path, model, dataset=dataset, batch_size=4)
    wanted = {"autoregressive/gpt": "bits_per_byte", "autoregressive/series": "crps"}[name]
    assert wanted in told(found)
    assert {score.features for score in found} == {""}
