"""Byte pairs: tokens are bytes, and what the most frequent neighbours were merged to.

Sennrich, Haddow & Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", on
bytes as in Radford et al. 2019. The merges are learned and applied by the library ``tokenizers``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from backends.data_error import DataError
from backends.model import Vocabulary

SMALLEST, LARGEST = 256, 65_536
_PIECE = 2**20  # characters that are encoded at once

Merge = tuple[int, int]


class BytePairs(Vocabulary):
    """Ids 0 to 255 are bytes; each of ``merges`` joins two tokens to the next one.

    Two merges may spell the same token: then it has the id of the first.
    """

    def __init__(self, merges: Sequence[Merge]) -> None:
        self.merges = tuple((int(a), int(b)) for a, b in merges)
        self.tokens = _tokens(self.merges)
        self.size = len(self.tokens)

    @classmethod
    def of(cls, texts: Iterable[str], size: int) -> "BytePairs":
        """The at most ``size`` tokens of ``texts``; the same ones for the same texts."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=alphabet, min_frequency=2, show_progress=False
        )
        tokenizer.train_from_iterator(_pieces(texts), trainer)
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        ids = {bytes([i]): i for i in range(256)}
        found = []
        for one, two in merges:
            a, b = _bytes_of(one), _bytes_of(two)
            found.append((ids[a], ids[b]))
            ids.setdefault(a + b, len(ids))
        return cls(found)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        spelled = [_spelled(token) for token in self.tokens]
        vocabulary = {text: i for i, text in enumerate(spelled)}
        merges = [(spelled[a], spelled[b]) for a, b in self.merges]
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer

    def encode(self, text: str) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"U+{ord(text[error.start]):04X} is not a character") from None
        return self._tokenizer.encode(text).ids

    def encode_all(self, text: str) -> NDArray[np.int64]:
        """The ids of a text as long as a data set."""
        parts = [self.encode(piece) for piece in _pieces([text])]
        return np.concatenate([np.array(part, np.int64) for part in [[], *parts]])

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", "replace")

    def lengths(self) -> list[int]:
        return [len(token) for token in self.tokens]

    @property
    def start(self) -> int:
        """The end of a line."""
        return ord("\n")

    def state(self) -> dict[str, object]:
        """What :meth:`from_state` needs, as JSON can hold it."""
        return {"kind": "byte pairs", "merges": [list(merge) for merge in self.merges]}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> "BytePairs":
        """The vocabulary that :meth:`state` described.

        Raises:
            DataError: for a description that no vocabulary gives.
        """
        try:
            merges = msgspec.convert(state.get("merges"), _Merges)
        except msgspec.ValidationError:
            raise DataError("the vocabulary's merges are no list of pairs of ids") from None
        if len(set(merges)) != len(merges):
            raise DataError("the vocabulary's merges are not distinct")
        try:
            return cls(merges)
        except IndexError:
            raise DataError("the vocabulary merges tokens that it does not have yet") from None

    def __deepcopy__(self, memo: object) -> "BytePairs":
        return self  # nothing in it ever changes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BytePairs) and self.merges == other.merges

    def __hash__(self) -> int:
        return hash(self.merges)


_Id = Annotated[int, msgspec.Meta(ge=0, lt=LARGEST)]
_Merges = Annotated[list[tuple[_Id, _Id]], msgspec.Meta(max_length=LARGEST)]


def _tokens(merges: Sequence[Merge]) -> list[bytes]:
    """The bytes of every token. Raises IndexError for a merge of one that is yet to come."""
    tokens = [bytes([i]) for i in range(256)]
    known = set(tokens)
    for a, b in merges:
        token = tokens[a] + tokens[b]
        if len(token) > _LONGEST:
            raise IndexError
        if token not in known:
            tokens.append(token)
            known.add(token)
    return tokens


_LONGEST = 1024
"""Bytes of a token: a list of merges could else spell one that fills the memory."""


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """``texts`` in pieces of about a million characters, which end where a line does."""
    for text in texts:
        begin = 0
        while begin < len(text):
            end = text.find("\n", begin + _PIECE) + 1 or len(text)
            yield text[begin:end]
            begin = end


def _alphabet() -> dict[int, str]:
    """The visible character that the library writes for each byte (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [i for i in range(256) if i not in shown]
    return {i: chr(i) for i in shown} | {i: chr(256 + n) for n, i in enumerate(hidden)}


_CHARACTER = _alphabet()
_BYTE = {character: i for i, character in _CHARACTER.items()}


def _spelled(token: bytes) -> str:
    return "".join(_CHARACTER[i] for i in token)


def _bytes_of(spelled: str) -> bytes:
    return bytes(_BYTE[character] for character in spelled)
