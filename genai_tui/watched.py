"""How a drawing comes about, as the playground keeps it: pictures on their way, tokens, stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from backends.watching import Observer
from genai_tui.playground import Advanced, Choice, Draw, Piece, Token, Tokens, Told, Wrote

if TYPE_CHECKING:
    from torch import Tensor

    from backends.model import Vocabulary

WATCHED_PICTURES, WATCHED_TEXTS = 16, 8
"""How many of the samples are followed on their way."""
MOST_FRAMES, MOST_TOKENS = 48, 4096
"""Pictures that are kept of one way, evenly spread over it; and tokens of one text."""
ALTERNATIVES = 5
EVERY = 0.05
"""Seconds between two tales of a text or of the progress."""
SHARE = 10
"""Telling may take one part in so many of the time."""


class StoppedError(Exception):
    """Nobody wants the drawing any more."""


@dataclass(slots=True)
class Writing:
    """A text on its way: its prompt, the ids of all that followed, and the text told so far."""

    prompt: str
    ids: list[int] = field(default_factory=list)
    told: str = ""
    chances: list[tuple[float, list[tuple[int, float]]]] = field(default_factory=list)
    """Of every token: its probability, and the likeliest ones with theirs."""


class Watched(Observer):
    """Keeps what is seen of a drawing in a folder, and tells of it now and then."""

    def __init__(
        self,
        ask: Draw,
        run: Path,
        folder: Path,
        tell: Callable[[Told], None],
        is_stopped: Callable[[str], bool],
    ) -> None:
        self._ask, self._run, self._folder = ask, run, folder
        self._tell, self._is_stopped = tell, is_stopped
        self.vocabulary: Vocabulary | None = None
        self._texts: list[Writing] = []
        self._due = 0.0
        self._seen, self._stride = 0, 1
        self._frame = ""

    # ------------------------------------------------------------------ what samplers tell

    def advanced(self, share: float) -> None:
        """Tells how far it is, at times.

        Raises:
            StoppedError: nobody wants it any more.
        """
        if self._is_stopped(self._ask.id):
            raise StoppedError
        began = time.monotonic()
        if began < self._due and not self._frame:
            return
        self._tell_texts()
        frame, self._frame = self._frame, ""
        self._tell(Advanced(id=self._ask.id, share=share, frame=frame))
        now = time.monotonic()
        self._due = now + max(EVERY, SHARE * (now - began))

    def pictured(self, first: int, images: Tensor, seen: Tensor | None = None) -> None:
        if first or not self._ask.watch:
            return
        number, self._seen = self._seen, self._seen + 1
        if number % self._stride:
            return
        if number // self._stride >= MOST_FRAMES:
            self._thin()
            if number % self._stride:
                return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if seen is not None:
            self._save(f"seen-{number:04d}.png", seen)
        self._frame = self._save(f"meant-{number:04d}.png", images)

    def began(self, first: int, prompts: Sequence[str]) -> None:
        if not first:
            self._texts = [Writing(prompt) for prompt in prompts[:WATCHED_TEXTS]]

    def chose(self, first: int, ids: Tensor, logits: Tensor) -> None:
        if first or not self._texts:
            return
        n = len(self._texts)
        for text, id in zip(self._texts, _numbers(ids[:n]), strict=True):
            text.ids.append(id)
        if self._ask.watch and len(self._texts[0].ids) <= MOST_TOKENS:
            self._weigh(ids[:n], logits[:n])

    def finish(self) -> None:
        """Writes what was seen of the tokens."""
        self._tell_texts()
        if not self._ask.watch or self.vocabulary is None:
            return
        for index, text in enumerate(self._texts):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            document = msgspec.json.encode(_tokens(text, self.vocabulary))
            (self._folder / f"{index:03d}.json").write_bytes(document)

    # ------------------------------------------------------------------ pictures

    def _save(self, name: str, images: Tensor) -> str:
        """Writes the first pictures as one; its path in the run's folder."""
        from backends import samples

        pixels = samples.to_uint8(images[:WATCHED_PICTURES])
        samples.save(samples.grid(pixels), self._folder / name)
        return str((self._folder / name).relative_to(self._run))

    def _thin(self) -> None:
        """Leaves out every other picture, of those that there are and of those to come."""
        self._stride *= 2
        for path in self._folder.glob("*-*.png"):
            if int(path.stem.rpartition("-")[2]) % self._stride:
                path.unlink()

    # ------------------------------------------------------------------ texts

    def _tell_texts(self) -> None:
        pieces = [piece for i, text in enumerate(self._texts) if (piece := self._news(i, text))]
        if pieces:
            self._tell(Wrote(id=self._ask.id, pieces=pieces))

    def _news(self, index: int, text: Writing) -> Piece | None:
        """What of a text differs from what was told: a character may come in several tokens."""
        assert self.vocabulary is not None
        now, before = text.prompt + self.vocabulary.decode(text.ids), text.told
        if now == before:
            return None
        at = len(before)
        if not now.startswith(before):
            at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(now, before)))  # noqa: B905
        text.told = now
        return Piece(index=index, at=at, text=now[at:])

    def _weigh(self, ids: Tensor, logits: Tensor) -> None:
        p = logits.float().softmax(-1)
        chosen = _numbers(p.gather(-1, ids[:, None])[:, 0])
        likely = p.topk(min(ALTERNATIVES, p.shape[-1]))
        others, shares = _numbers(likely.indices), _numbers(likely.values)
        for text, own, *top in zip(self._texts, chosen, others, shares, strict=True):
            text.chances.append((own, list(zip(*top, strict=True))))


def _numbers(t: Tensor) -> list[Any]:
    return cast(Any, t).tolist()


def _tokens(text: Writing, vocabulary: Vocabulary) -> Tokens:
    def piece(id: int) -> str:
        return vocabulary.decode([id])

    found = Tokens(
        prompt=text.prompt,
        tokens=[
            Token(
                text=piece(id),
                p=p,
                top=[Choice(text=piece(other), p=share) for other, share in top],
            )
            for id, (p, top) in zip(text.ids, text.chances, strict=False)
        ],
    )
    while [token.text for token in found.tokens[-2:]] == ["", ""]:
        found.tokens.pop()  # lines that ended before others did
    return found
