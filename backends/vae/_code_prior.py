"""A prior over a quantised autoencoder's codes: a causal Transformer that reads them line by line.

Van den Oord et al. 2017, section 3.3, with a Transformer for the PixelCNN (Esser et al. 2021).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.nets.transformer import Cache, Transformer, rms_norm


class CodePrior(nn.Module):
    """p(codes | y) = Π_i p(code_i | codes before i, y); the class is the token before the first.

    Args:
        digits: what is known of the K codes, [K, F]; see :class:`CodeTable`.
        sides: (H, W) of a picture in codes.
        classes: of y; 0 where there is none.
    """

    def __init__(
        self,
        digits: Tensor,
        sides: tuple[int, int],
        classes: int,
        *,
        layers: int,
        heads: int,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.sides = sides
        self.begin = nn.Embedding(max(1, classes), width)
        self.embedding, self.head = (CodeTable(digits, width, std) for std in (1.0, 0.0))
        self.rows = nn.Parameter(0.02 * torch.randn(sides[0], 1, width))
        self.columns = nn.Parameter(0.02 * torch.randn(1, sides[1], width))
        self.transformer = Transformer(
            layers=layers,
            heads=heads,
            width=width,
            context=sides[0] * sides[1],
            dropout=dropout,
            activation="relu2",
        )

    def forward(self, codes: Tensor, y: Tensor | None) -> Tensor:
        """Logits [B, H W, K] of each of the codes [B, H, W], given those before it."""
        return self._logits(self._begin(len(codes), y), codes.flatten(1)[:, :-1], 0, None)

    def loss(self, codes: Tensor, y: Tensor | None) -> Tensor:
        """-log p(codes | y) in nats a code."""
        return F.cross_entropy(self(codes, y).flatten(0, 1), codes.flatten())

    def draw(
        self,
        count: int,
        y: Tensor | None,
        choose: Callable[[Tensor], Tensor],
        after_row: Callable[[Tensor], None] = lambda codes: None,
    ) -> Tensor:
        """Codes [count, H, W], each token computed once; ``choose`` takes logits [count, K].

        ``after_row`` is shown the codes after each row, those to come being 0.
        """
        cache, number = self.transformer.cache(count), self.sides[0] * self.sides[1]
        codes = torch.zeros(count, number, dtype=torch.long, device=self.rows.device)
        logits = self._logits(self._begin(count, y), codes[:, :0], 0, cache)
        for i in range(number):
            codes[:, i] = choose(logits[:, -1])
            if (i + 1) % self.sides[1] == 0:
                after_row(codes.unflatten(1, self.sides))
            if i + 1 < number:
                logits = self._logits(None, codes[:, i : i + 1], i + 1, cache)
        return codes.unflatten(1, self.sides)

    def _begin(self, count: int, y: Tensor | None) -> Tensor:
        """The first token [count, 1, C]."""
        if y is None:
            y = torch.zeros(count, dtype=torch.long, device=self.rows.device)
        return self.begin(y)[:, None]

    def _logits(
        self, begin: Tensor | None, codes: Tensor, first: int, cache: Cache | None
    ) -> Tensor:
        """Logits [B, n, K] of the places from ``first`` on, after ``begin`` and ``codes``."""
        tokens = F.embedding(codes, self.embedding())
        if begin is not None:
            tokens = torch.cat([begin, tokens], dim=1)  # [B, n, C]
        places = (self.rows + self.columns).flatten(0, 1)[first : first + tokens.shape[1]]
        h = self.transformer(rms_norm(tokens) + places, cache)
        return F.linear(h, self.head()).float()


class CodeTable(nn.Module):
    """A vector for each of K codes: its own, and the sum of those of its digits.

    Codes that share a digit mean alike, and what is learned of one is learned of all of them: on
    2,000 pictures it is worth 0.27 nats a code.

    Args:
        digits: [K, F], 1 where a code has a digit; F may be 0.
        width: C.
        std: of the vectors, at first.
    """

    digits: Tensor

    def __init__(self, digits: Tensor, width: int, std: float) -> None:
        super().__init__()
        self.register_buffer("digits", digits.float(), persistent=False)
        self.own = nn.Embedding(len(digits), width)
        nn.init.normal_(self.own.weight, std=0.0 if digits.shape[1] else std)
        self.shared = nn.Parameter(std * torch.randn(digits.shape[1], width))

    def forward(self) -> Tensor:
        """The vectors, [K, C]."""
        if not len(self.shared):
            return self.own.weight
        return self.own.weight + self.digits @ self.shared
