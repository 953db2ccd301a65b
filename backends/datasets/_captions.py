"""Makes a data set of pictures with captions: each epoch one of the phrasings of every picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backends.data import Dataset, Images, Source, held_out
from backends.data_error import DataError
from backends.datasets._files import counted
from backends.datasets._words import Words
from backends.model import DataShape


@dataclass(frozen=True, slots=True)
class Captioned(Source):
    """Pictures and the ids of their captions.

    Attributes:
        pictures: N of them.
        captions: int64 [N, K, T], K phrasings of each, padded with 0.
    """

    pictures: Images
    captions: Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def streams(self) -> bool:
        return self.pictures.streams

    @property
    def augments(self) -> bool:
        return True

    def fetch(self, indices: Tensor, seeds: Tensor, epoch_seed: int) -> tuple[Tensor, Tensor]:
        """Images [B, C, H, W] in [-1, 1] and captions [B, T]."""
        x, _ = self.pictures.fetch(indices, seeds, epoch_seed)
        chosen = (seeds >> 1) % self.captions.shape[1]  # the last bit mirrors the picture
        return x, self.captions[indices.to(self.captions.device), chosen.to(self.captions.device)]

    def to(self, device: torch.device) -> "Captioned":
        pictures = self.pictures.to(device)
        if pictures.streams:
            return self
        return replace(self, pictures=pictures, captions=self.captions.to(device))


def captioned_dataset(
    pixels: Tensor,
    captions: Sequence[Sequence[str]],
    *,
    where: str,
    validation: float,
    tokens: int,
    flip: bool = False,
    notices: tuple[str, ...] = (),
) -> Dataset:
    """Splits uint8 ``pixels`` [N, C, H, W] and their ``captions``, as many phrasings for each.

    Raises:
        DataError: too few pictures, or captions without a word.
    """
    if len(pixels) < 2:
        raise DataError(f"{where} has 1 captioned picture, and 1 must be held out: add pictures")
    train, held = held_out(len(pixels), validation)
    words = Words.of([text for i in map(int, train) for text in captions[i]])
    if not words.words:
        raise DataError(f"the captions of {where} hold no words: write what the pictures show")
    ids, long = _ids(captions, words, tokens)
    _, channels, height, width = pixels.shape
    cut = f"{counted(long, 'caption')} of {where} cut to {tokens} words: set tokens to keep more"
    return Dataset(
        DataShape("captions", (channels, height, width, tokens), (), words),
        Captioned(Images(pixels, None, flip, train), ids[train]),
        Captioned(Images(pixels, None, rows=held), ids[held]),
        (*notices, cut) if long else notices,
    )


def _ids(captions: Sequence[Sequence[str]], words: Words, tokens: int) -> tuple[Tensor, int]:
    """Ids [N, K, T], and how many captions were longer than T."""
    ids = torch.zeros(len(captions), max(map(len, captions)), tokens, dtype=torch.int64)
    long = 0
    for i, phrasings in enumerate(captions):
        for k in range(ids.shape[1]):
            known = words.known(phrasings[k % len(phrasings)])
            long += len(known) > tokens and k < len(phrasings)
            ids[i, k, : min(len(known), tokens)] = torch.tensor(known[:tokens])
    return ids, long
