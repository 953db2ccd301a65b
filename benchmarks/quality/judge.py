"""Scores pictures in the features of a classifier that was trained on the same training set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from backends.metrics import classifier
from backends.metrics.classes import class_divergence
from backends.metrics.classifier import Classifier
from backends.metrics.frechet import frechet
from backends.metrics.kernel import kernel_distance
from backends.metrics.manifold import manifold
from backends.metrics.memorisation import authenticity, copied, neighbour_ratio
from benchmarks.quality.images import Images, scaled

Scores = dict[str, float]

CAS_STEPS = 600
"""Of the fresh classifier of the classification accuracy score: it sees fewer pictures."""

REAL, COPY = "real test set (ceiling)", "copy of the training set (cheat)"


@dataclass(frozen=True, slots=True)
class Judge:
    """The classifier, and the features of what is real.

    Attributes:
        train, test: features [N, 64] of the training set and of the held-out pictures.
        some: indices of as many training pictures as are held out.
    """

    images: Images
    net: Classifier
    train: Tensor
    test: Tensor
    some: Tensor

    @property
    def caption(self) -> str:
        """What the feature space is, for the table."""
        right = classifier.accuracy(self.net, self.images.test.x, self.images.test.labels)
        return f"classifier {self.net.digest} ({right:.1%} right on the held-out pictures)"

    def score(self, x: Tensor, labels: Tensor | None) -> Scores:
        """Scores of pictures ``x`` [N, C, H, W] in [-1, 1] against the held-out ones; ``labels``
        [N] are what they were asked to show, None where that was nothing."""
        found = classifier.features(self.net, x)
        scores = self._compare(found, classifier.predictions(self.net, x), self.test)
        scores["fd-classifier-train"] = frechet(found, self.train)
        if labels is not None:
            scores["cas"] = self._cas(x, labels)
        return scores

    def references(self, folder: Path) -> Mapping[str, Scores]:
        """What :meth:`real_and_copied` finds, kept in ``folder`` for the next time."""
        path = folder / f"references-{self.images.digest}-{self.net.digest}.json"
        if not path.is_file():
            path.write_text(json.dumps(self.real_and_copied()))
        return json.loads(path.read_bytes())

    def real_and_copied(self) -> Mapping[str, Scores]:
        """Scores of real pictures and of copies of the training set.

        Held-out pictures are scored against as many of the training set; a copy of these has the
        same distances, which is why copies need scores of their own.
        """
        train, some = self.images.train, self.some
        cas = self._cas(train.x[some], train.labels[some])
        predictions = classifier.predictions(self.net, self.images.test.x)
        real = self._compare(self.test, predictions, self.train[some])
        real["fd-classifier-train"] = frechet(self.test, self.train)
        predictions = classifier.predictions(self.net, train.x[some])
        copy = self._compare(self.train[some], predictions, self.test)
        copy["fd-classifier-train"] = frechet(self.train[some], self.train)
        return {REAL: {**real, "cas": cas}, COPY: {**copy, "cas": cas}}

    def _compare(self, found: Tensor, predictions: Tensor, real: Tensor) -> Scores:
        n = min(len(found), len(real))
        kernel, shape = kernel_distance(found, real), manifold(real[:n], found[:n])
        return {
            "fd-classifier": frechet(found, real),
            "kid-classifier": kernel.mean,
            "kid-classifier-sd": kernel.sd,
            "precision-classifier": shape.precision,
            "recall-classifier": shape.recall,
            "density-classifier": shape.density,
            "coverage-classifier": shape.coverage,
            "class_kl-classifier": class_divergence(
                predictions, self.images.classes, self.images.train.labels
            ),
            "neighbour_ratio-classifier": neighbour_ratio(found, self.train, self.test),
            "authenticity-classifier": authenticity(found, self.train),
            "copied-classifier": copied(found, self.train),
        }

    def _cas(self, x: Tensor, labels: Tensor) -> float:
        test, classes = self.images.test, self.images.classes
        return classifier.accuracy_score(
            x, labels, test.x, test.labels, classes, steps=CAS_STEPS, seed=1
        )


def appoint(images: Images, folder: Path) -> Judge:
    """The judge of ``images``; its classifier is kept in ``folder`` for the next time."""
    path = folder / f"classifier-{images.digest}.safetensors"
    train = images.train
    if path.is_file():
        net = Classifier(train.x.shape[1], images.classes).eval()
        net.load_state_dict(load_file(path))
    else:
        net = classifier.fit(train.x, train.labels, images.classes)
        save_file(net.state_dict(), path)
    train_features, test_features = (classifier.features(net, s.x) for s in (train, images.test))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return Judge(images, net, train_features, test_features, order[: len(images.test)])


def pictures(path: Path) -> Tensor:
    """The pictures [N, C, H, W] in [-1, 1] of a file of bytes [N, H, W, C]."""
    return scaled(torch.from_numpy(np.load(path)).permute(0, 3, 1, 2))
