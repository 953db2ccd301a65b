"""The last layer of a discriminator, which may be told the class of what it judges."""

from torch import Tensor, nn


class Projection(nn.Module):
    """Features [B, features] and classes [B] to outputs [B] in float32.

    Miyato & Koyama 2018, eq. 3: a linear layer plus the product of the features with a vector of
    the class. The vectors start at zero, so that D begins as if there were no classes.
    """

    def __init__(self, features: int, classes: int = 0) -> None:
        super().__init__()
        self.last = nn.Linear(features, 1)
        self.embed = nn.Embedding(classes, features) if classes else None
        if self.embed is not None:
            nn.init.zeros_(self.embed.weight)

    def forward(self, h: Tensor, y: Tensor | None) -> Tensor:
        outputs = self.last(h)[:, 0]
        if self.embed is not None:
            outputs = outputs + (self.embed(y) * h).sum(1)
        return outputs.float()
