"""What a playground has drawn, or is drawing: pictures in a gallery, or texts."""

from collections.abc import Callable, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from backends.knob import Knob
from genai_tui import playground, sample_files
from genai_tui.playground import Advanced, Result, Tokens, Wrote
from genai_tui.run import Run
from genai_tui.widgets.gallery import Gallery
from genai_tui.widgets.scene import Drawn
from genai_tui.widgets.texts import Texts


class Showing(Vertical):
    """Reads results in a thread; what it is told of a drawing under way is shown at once."""

    class Fetched(Message, bubble=False):
        """The files of a result are read."""

        def __init__(
            self, result: Result, drawn: Drawn, texts: list[str], ways: list[Tokens | None]
        ) -> None:
            super().__init__()
            self.result, self.drawn = result, drawn
            self.texts, self.ways = texts, ways

    class Shown(Message):
        """A result is on the screen."""

        def __init__(self, result: Result) -> None:
            super().__init__()
            self.result = result

    def __init__(self, run: Run, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._run = run
        self._knobs: Sequence[Knob] = ()
        self._growing: list[str] = []
        self.result: Result | None = None

    def compose(self) -> ComposeResult:
        yield Gallery()
        yield Texts()

    def on_mount(self) -> None:
        self._put_up(Gallery)

    @property
    def alone(self) -> int | None:
        """The tile that is shown alone; None where all are, or texts."""
        gallery = self.query_one(Gallery)
        return gallery.look.tile if gallery.display and gallery.look.alone else None

    def say(self, sentence: str) -> None:
        """Shows a sentence where nothing has been drawn."""
        self._put_up(Gallery)
        self.query_one(Gallery).say(sentence)

    def begin(self) -> None:
        """Another drawing is under way."""
        self._growing = []

    def follow(self, told: Advanced) -> None:
        """Shows the newest picture of a drawing under way, if it is a file of the run."""
        path = self._run.path / told.frame
        if told.frame and path.resolve().is_relative_to(self._run.path.resolve()):
            self._put_up(Gallery)
            self.query_one(Gallery).follow(path)

    def grow(self, told: Wrote) -> None:
        """Shows what has been written of a drawing under way."""
        for piece in told.pieces:
            self._growing += [""] * (piece.index + 1 - len(self._growing))
            self._growing[piece.index] = self._growing[piece.index][: piece.at] + piece.text
        self._put_up(Texts)
        self.query_one(Texts).grow(self._growing)

    def show(self, result: Result, knobs: Sequence[Knob]) -> None:
        """Shows a result of the run, whose model can be asked for ``knobs``."""
        self._knobs = knobs
        self._read(result, knobs)

    @work(thread=True, exclusive=True, group="result")
    def _read(self, result: Result, knobs: Sequence[Knob]) -> None:
        texts = _texts(self._run, result)
        drawn = _drawn(self._run, result, latent=any(knob.name == "around" for knob in knobs))
        ways = [playground.tokens(self._run, result, index) for index in range(len(texts))]
        self.post_message(self.Fetched(result, drawn, texts, ways))

    @on(Fetched)
    def _take(self, event: Fetched) -> None:
        self.result = event.result
        if event.texts:
            self._put_up(Texts)
            self.query_one(Texts).show(event.texts, event.ways)
        elif event.drawn.tiles:
            self._put_up(Gallery)
            self.query_one(Gallery).show(event.drawn, captions(event.result, self._knobs))
        else:
            self.say("these samples are no longer on disk")
        self.post_message(self.Shown(event.result))

    def _put_up(self, kind: type[Gallery] | type[Texts]) -> None:
        """Shows one of the two; the focus goes with it."""
        mine, other = self.query_one(kind), self.query_one(Texts if kind is Gallery else Gallery)
        focused = other.has_focus
        mine.display, other.display = True, False
        if focused:
            mine.focus()


def captions(result: Result, knobs: Sequence[Knob]) -> Callable[[int], str]:
    """What is said of each tile of a result of a model that can be asked for ``knobs``."""
    kept = result.kept
    classes = [name for knob in knobs if knob.name == "labels" for name in knob.choices[1:]]

    def caption(tile: int) -> str:
        parts = [f"{tile}"]
        if tile < len(kept.labels):
            label = kept.labels[tile]
            parts.append(classes[label] if 0 <= label < len(classes) else f"class {label}")
        parts += kept.captions[tile : tile + 1]
        return " · ".join([*parts, f"seed {kept.request.seed}", f"step {kept.step:,}"])

    return caption


def _texts(run: Run, result: Result) -> list[str]:
    files = sample_files.find(run.path, result.path)
    return [sample_files.read_text(path) for path in files.texts]


def _drawn(run: Run, result: Result, *, latent: bool) -> Drawn:
    folder, request = run.path / result.path, result.kept.request
    return Drawn(
        tiles=tuple(sample_files.find(run.path, result.path).pictures),
        meant=tuple(playground.frames(run, result.id, "meant")),
        seen=tuple(playground.frames(run, result.id, "seen")),
        walk=bool(request.interpolate),
        sounds=any(folder.glob("*.wav")),
        latent=latent and request.around is None and not request.interpolate,
    )
