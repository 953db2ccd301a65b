"""Text to token ids and back: one id a character, or one a byte; and every kind from its state."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.data_error import DataError
from backends.datasets._byte_pairs import BytePairs
from backends.datasets._lines import Lines
from backends.datasets._words import Words
from backends.model import Vocabulary

_UNICODE = 0x110000


class Characters(Vocabulary):
    """One id for each character of ``characters``, which are distinct and sorted."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.size = len(characters)
        self._ids = {character: i for i, character in enumerate(characters)}

    @classmethod
    def of(cls, text: str) -> "Characters":
        """The vocabulary of all characters that ``text`` holds."""
        return cls("".join(sorted(set(text))))

    def encode(self, text: str) -> list[int]:
        for character in text:
            if character not in self._ids:
                name = f"U+{ord(character):04X} {character!r}"
                raise ValueError(
                    f"{name} is not among the {self.size} characters of the training text"
                )
        return [self._ids[character] for character in text]

    def encode_all(self, text: str) -> NDArray[np.int64]:
        """The ids of a text as long as a data set, whose characters are all known."""
        table = np.zeros(_UNICODE, np.int64)
        table[codes(self.characters)] = np.arange(self.size)
        return table[codes(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.characters[i] for i in ids)

    @property
    def start(self) -> int:
        """The end of a line, where the text has lines: what follows begins a new one."""
        return self._ids.get("\n", 0)

    def state(self) -> dict[str, object]:
        """What :func:`from_state` needs, as JSON can hold it."""
        return {"kind": "characters", "characters": self.characters}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Characters) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)


class Bytes(Vocabulary):
    """The 256 byte values of UTF-8; every text can be written."""

    size = 256

    def lengths(self) -> list[int]:
        return [1] * self.size

    def encode(self, text: str) -> list[int]:
        try:
            return list(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise ValueError(f"U+{ord(text[error.start]):04X} is not a character") from None

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    @property
    def start(self) -> int:
        """The end of a line."""
        return ord("\n")

    def state(self) -> dict[str, object]:
        """What :func:`from_state` needs, as JSON can hold it."""
        return {"kind": "bytes"}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bytes)

    def __hash__(self) -> int:
        return hash("bytes")


def from_state(state: Mapping[str, object]) -> Characters | Bytes | BytePairs | Words | Lines:
    """The vocabulary that ``state()`` described.

    Raises:
        DataError: for a description that no vocabulary gives.
    """
    characters = state.get("characters")
    if state.get("kind") == "bytes":
        return Bytes()
    if state.get("kind") == "byte pairs":
        return BytePairs.from_state(state)
    if state.get("kind") == "lines":
        return Lines(_inner(state.get("of")))
    if state.get("kind") == "words":
        return Words.from_state(state)
    if state.get("kind") != "characters" or not isinstance(characters, str) or not characters:
        raise DataError(f"no vocabulary is described by {str(dict(state))[:80]!r}")
    if list(characters) != sorted(set(characters)):
        raise DataError("the vocabulary's characters are not distinct and sorted")
    return Characters(characters)


def _inner(state: object) -> Vocabulary:
    if not isinstance(state, Mapping) or state.get("kind") == "lines":
        raise DataError(f"no vocabulary of lines is described by {str(state)[:80]!r}")
    return from_state(state)


def codes(text: str) -> NDArray[np.uint32]:
    """The code points of ``text``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


def spelled(codes: NDArray[np.int64]) -> str:
    """The text of code points."""
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
