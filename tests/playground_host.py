"""A sampler that draws at once without a model: pictures, texts and their ways, as a real one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from build_runs import fashion
from PIL import Image

from backends.knob import Knob
from backends.records import Modality
from genai_tui import playground
from genai_tui.playground import (
    Advanced,
    Ask,
    Choice,
    Draw,
    Drawn,
    Open,
    Opened,
    Piece,
    Refused,
    Stop,
    Token,
    Tokens,
    Told,
    Wrote,
)
from genai_tui.run import Run

T = 1_795_428_930.0
CLASSES = ["each in turn", "Shirt", "Bag\x1b[31m"]


def number(name: str, default: float | None, low: float, high: float, **more: Any) -> Knob:
    kind = "int" if isinstance(low, int) else "float"
    optional = default is None
    return Knob(
        name=name, kind=kind, default=default, low=low, high=high, optional=optional, **more
    )


ALWAYS = [number("count", 16, 1, 4096, help="how many"), number("seed", 0, 0, 2**32 - 1)]
FLOW = [
    *ALWAYS,
    Knob(name="labels", kind="choice", default=CLASSES[0], choices=CLASSES, help="which class"),
    number("steps", 8, 1, 1000, help="steps of the sampler"),
    number("guidance", 1.25, -100.0, 100.0, help="how strongly the condition guides"),
]
VAE = [
    *ALWAYS,
    number("temperature", 1.0, 0.0, 100.0, help="below 1 safer and less varied"),
    Knob(name="interpolate", kind="bool", default=False, help="walk from latent to latent"),
    number("around", None, 0, 4095, help="sample whose neighbours are drawn"),
    number("spread", 0.3, 0.0, 1.0, help="how far its neighbours go"),
]
GPT = [
    *ALWAYS[1:],
    number("count", 2, 1, 4096, help="how many"),
    Knob(name="prompt", kind="text", default="", help="text to go on from"),
    number("temperature", 0.8, 0.0, 100.0, help="below 1 safer and less varied"),
]


class FakeSampler:
    """Answers asks in the studio's thread; remembers them."""

    def __init__(
        self,
        run: Run,
        told: Callable[[Told], object],
        ended: Callable[[str], object],
        *,
        modality: Modality = "image",
        knobs: list[Knob],
    ) -> None:
        self.run, self.tell, self.die = run, told, ended
        self.modality: Modality = modality
        self.knobs = knobs
        self.asked: list[Ask] = []
        self.closed = False
        self.slow = False
        """Whether a drawing stays under way until it is finished by hand."""
        self._clock = T

    def ask(self, ask: Ask) -> None:
        self.asked.append(ask)
        if isinstance(ask, Open):
            told = Opened(step=ask.step, modality=self.modality, knobs=self.knobs, device="cpu")
            self.tell(told)
        elif isinstance(ask, Stop):
            self.tell(Refused(id=ask.id, why="stopped"))
        elif self.slow:
            self.begin(ask)
        else:
            self.finish(ask)

    def close(self) -> None:
        self.closed = True

    @property
    def drawn(self) -> list[Draw]:
        return [ask for ask in self.asked if isinstance(ask, Draw)]

    def begin(self, ask: Draw) -> None:
        """What is told while a drawing is under way."""
        if self.modality == "text":
            self.tell(Wrote(id=ask.id, pieces=[Piece(index=0, at=0, text="O, she doth")]))
            self.tell(Advanced(id=ask.id, share=0.25))
            return
        folder = self.run.path / "playground" / f".drawing-{ask.id}"
        folder.mkdir(parents=True)
        _save(_way(0.5), folder / "meant-0000.png")
        frame = str((folder / "meant-0000.png").relative_to(self.run.path))
        self.tell(Advanced(id=ask.id, share=0.25, frame=frame))

    def finish(self, ask: Draw) -> None:
        """Writes the files and tells so."""
        folder = self.run.path / "playground" / ask.id
        (folder / "watch").mkdir(parents=True)
        self._clock += 60
        kept = playground.Kept(
            step=ask.step,
            t=self._clock,
            request=ask.request,
            labels=[i % 2 for i in range(ask.request.count)] if self.knobs is FLOW else [],
        )
        (folder / "request.json").write_bytes(msgspec.json.encode(kept))
        (_texts if self.modality == "text" else _pictures)(folder, ask)
        if ask.watch and self.knobs is FLOW:
            _ways(folder / "watch")
        self.tell(Drawn(id=ask.id, count=ask.request.count, seconds=0.12))


def _pictures(folder: Path, ask: Draw) -> None:
    for index in range(ask.request.count):
        _save(fashion()[(ask.request.seed * 100 + index) % 2000], folder / f"{index:03d}.png")


def _ways(folder: Path) -> None:
    for moment in range(4):
        _save(_way(moment / 4), folder / f"meant-{moment:04d}.png")
        _save(_way(0), folder / f"seen-{moment:04d}.png")


def _texts(folder: Path, ask: Draw) -> None:
    prompt = ask.request.prompt or ""
    tokens = [
        Token(text=text, p=p, top=[Choice(text=text, p=p), Choice(text=" ", p=p / 2)])
        for text, p in (("O", 0.9), (",", 0.3), (" she", 0.05), ("\n", 0.01), ("\x1b", 0.001))
    ]
    text = prompt + "".join(token.text for token in tokens)
    for index in range(ask.request.count):
        (folder / f"{index:03d}.txt").write_text(text)
        how = msgspec.json.encode(Tokens(prompt=prompt, tokens=tokens))
        (folder / "watch" / f"{index:03d}.json").write_bytes(how)


def _way(share: float) -> np.ndarray:
    """Four by four tiles, which come out of the gray."""
    grid = fashion()[:16].reshape(4, 4, 28, 28).swapaxes(1, 2).reshape(112, 112)
    return (128 + share * (grid.astype(float) - 128)).astype(np.uint8)


def _save(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels).save(path)
