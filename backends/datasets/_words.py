"""Words of captions to token ids and back: one id a word, in lower case."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from backends.data_error import DataError
from backends.model import Vocabulary

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of ``text`` in lower case, without what stands between them."""
    return _WORD.findall(text.lower())


class Words(Vocabulary):
    """One id for each of ``words``, which are distinct; 0 fills up captions that are shorter."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.size = len(self.words) + 1
        self._ids = {word: i for i, word in enumerate(self.words, 1)}

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 8192) -> "Words":
        """The ``most`` frequent words of ``texts``, the frequent first."""
        counts = Counter(word for text in texts for word in words_of(text))
        return cls([word for word, _ in sorted(counts.items(), key=lambda e: (-e[1], e[0]))[:most]])

    def encode(self, text: str) -> list[int]:
        for word in words_of(text):
            if word not in self._ids:
                many = f"{len(self.words):,} words of the captions"
                raise ValueError(f"{word!r} is not among the {many}")
        return [self._ids[word] for word in words_of(text)]

    def known(self, text: str) -> list[int]:
        """Ids of the words that the vocabulary has; others are passed over."""
        return [self._ids[word] for word in words_of(text) if word in self._ids]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.words[i - 1] for i in ids if 0 < i < self.size)

    def state(self) -> dict[str, object]:
        """What :meth:`from_state` needs, as JSON can hold it."""
        return {"kind": "words", "words": list(self.words)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> "Words":
        """The vocabulary that :meth:`state` described.

        Raises:
            DataError: for a description that no vocabulary gives.
        """
        try:
            words = msgspec.convert(state.get("words"), list[str])
        except msgspec.ValidationError:
            raise DataError("the vocabulary's words are no list of words") from None
        if any(words_of(word) != [word] for word in words):
            raise DataError("the vocabulary's words are no list of words")
        if len(set(words)) != len(words):
            raise DataError("the vocabulary's words are not distinct")
        return cls(words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)
