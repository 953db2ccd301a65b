"""A small classifier of one data set: its features are the space in which samples are compared.

Trained here in seconds, so nothing is downloaded; scores name it ("fd-classifier") and carry the
hash of its weights, since distances in the features of two classifiers do not compare.
"""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.counting import counted

FEATURES = 64


class Classifier(nn.Module):
    """Three convolutions, 64 features and a linear layer, for images [B, C, H, W] in [-1, 1] with
    sides of 4 or more."""

    def __init__(self, channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        c = (channels, width, 2 * width, 4 * width)
        self.convolutions = nn.Sequential(
            *_block(c[0], c[1]), nn.MaxPool2d(2), *_block(c[1], c[2]), nn.MaxPool2d(2),
            *_block(c[2], c[3]), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.project = nn.Linear(4 * c[3], FEATURES)
        self.head = nn.Linear(FEATURES, classes)
        self.unit: Tensor
        self.register_buffer("unit", torch.ones(()))

    def features(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] to features [B, 64], 0 or more, in units of their spread."""
        return self._hidden(x) / self.unit

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] to logits [B, classes]."""
        return self.head(self._hidden(x))

    def _hidden(self, x: Tensor) -> Tensor:
        return F.relu(self.project(self.convolutions(x)))

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all weights and statistics."""
        hashed = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            hashed.update(name.encode())
            hashed.update(value.detach().cpu().contiguous().numpy().tobytes())
        return hashed.hexdigest()[:12]


def fit(
    images: Tensor, labels: Tensor, classes: int, *, steps: int = 1200, seed: int = 0
) -> Classifier:
    """A fresh classifier of ``images`` [N, C, H, W] in [-1, 1] by ``labels`` [N], in eval mode.

    AdamW under a one-cycle rate on batches of 64, every picture a little deformed. Features are
    then scaled so that their variances over ``images`` sum to 64: a distance does not grow with
    how sure the classifier is of its classes. Everything random depends on ``seed`` alone.
    """
    noise = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Classifier(images.shape[1], classes)
    net.to(images.device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in counted(range(steps), steps):
        chosen = torch.randint(len(images), (64,), generator=noise)
        x = _moved(images[chosen], noise)
        loss = F.cross_entropy(net(x), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    net.eval()
    net.unit.copy_((features(net, images).var(0).sum() / FEATURES).sqrt())
    return net


@torch.no_grad()
def features(net: Classifier, images: Tensor, batch: int = 500) -> Tensor:
    """Features [N, 64] of ``images`` [N, C, H, W] in [-1, 1]."""
    return torch.cat([net.features(part) for part in images.split(batch)])


@torch.no_grad()
def predictions(net: Classifier, images: Tensor, batch: int = 500) -> Tensor:
    """The class [N] that each of ``images`` [N, C, H, W] most likely is of."""
    return torch.cat([net(part).argmax(1) for part in images.split(batch)])


def accuracy(net: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of ``images`` [N, C, H, W] that the classifier gets right, from 0 to 1."""
    return (predictions(net, images) == labels).double().mean().item()


def accuracy_score(
    samples: Tensor,
    sample_labels: Tensor,
    real: Tensor,
    real_labels: Tensor,
    classes: int,
    *,
    steps: int = 1200,
    seed: int = 0,
) -> float:
    """Classification accuracy score, from 0 to 1: trained on samples, tested on real images.

    Ravuri & Vinyals 2019, "Classification Accuracy Score for Conditional Generative Models". The
    ceiling is the score of as many real images that are not the tested ones.
    """
    net = fit(samples, sample_labels, classes, steps=steps, seed=seed)
    return accuracy(net, real, real_labels)


def _block(before: int, after: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


def _moved(x: Tensor, noise: torch.Generator) -> Tensor:
    """Each of ``x`` [B, C, H, W] turned, sheared and scaled by up to a tenth, and shifted by up to
    a pixel or so; the border repeats."""
    n, height = len(x), x.shape[-2]
    theta = torch.eye(2, 3) + 0.1 * (2 * torch.rand(n, 2, 3, generator=noise) - 1)
    theta[:, :, 2] *= 20 / height
    grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
