"""The checkpoints of a run: whole or not, why kept, how they score, and what to do with one."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from backends.records import Score
from genai_tui import amounts, checkpoint_list, scores
from genai_tui.checkpoint_list import Kept
from genai_tui.run import Run, RunError
from genai_tui.table import cell, widths_of
from genai_tui.visible import visible
from genai_tui.widgets.field import Field, Part, content, entitle
from genai_tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from genai_tui.lineage import Fork

LOOK_SECONDS = 3.0
"""Between two looks for newer checkpoints and scores."""
NOTHING = "No checkpoint yet: the first one is saved at step 0, before the training begins."


def _key(keys: str, action: str, name: str, tooltip: str) -> Binding:
    return Binding(keys, action, name, tooltip=tooltip, id=f"checkpoints.{action}")


class CheckpointsScreen(ModalScreen[None]):
    """Lists them, the newest first; reading and verifying is done beside."""

    CSS_PATH = "checkpoints.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("enter,p", "play", "draw", "Draw from the checkpoint, in the playground"),
        _key("F", "fork", "fork", "A new run that begins with the checkpoint"),
        _key("e", "evaluate", "evaluate", "Score the checkpoint against held-out data"),
        _key("escape,q,K", "dismiss", "close", "Close the list"),
    ]

    class PlaygroundWanted(Message):
        """The user wants to draw from a checkpoint."""

        def __init__(self, run_id: str, step: int) -> None:
            super().__init__()
            self.run_id, self.step = run_id, step

    class ForkWanted(Message):
        """The user wants a new run that begins with a checkpoint."""

        def __init__(self, fork: "Fork") -> None:
            super().__init__()
            self.fork = fork

    class Listed(Message, bubble=False):
        """What there is."""

        def __init__(self, kept: Sequence[Kept], found: Sequence[Score]) -> None:
            super().__init__()
            self.kept, self.found = kept, found

    class Verified(Message, bubble=False):
        """Whether a checkpoint is whole: why not, or nothing."""

        def __init__(self, kept: Kept, verdict: str) -> None:
            super().__init__()
            self.kept, self.verdict = kept, verdict

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self._kept: list[Kept] = []
        self._scores: list[Score] = []
        self._verdicts: dict[Kept, str] = {}

    def compose(self) -> ComposeResult:
        with Vertical(id="panel"):
            yield Field(id="titles")
            yield OptionList(id="kept", markup=False)
            yield Field(id="found")
        yield KeyBar()

    def on_mount(self) -> None:
        entitle(self.query_one("#panel"), f"checkpoints of {self.run.label}")
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def on_resize(self) -> None:
        self._draw()

    @property
    def _chosen(self) -> Kept | None:
        place = self.query_one(OptionList).highlighted
        return self._kept[place] if place is not None and place < len(self._kept) else None

    # ------------------------------------------------------------------ what there is

    @work(thread=True, exclusive=True, group="look")
    def _look(self) -> None:
        try:
            kept = checkpoint_list.listing(self.run)
        except (RunError, OSError):
            kept = []
        self.post_message(self.Listed(kept, scores.newest(scores.read(self.run))))

    @on(Listed)
    def _take(self, event: Listed) -> None:
        new = [kept for kept in event.kept if kept not in self._kept]
        self._scores = list(event.found)
        if list(event.kept) != self._kept:
            self._kept = list(event.kept)
            self._draw()
        self._say()
        if new:
            self._verify(new)

    @work(thread=True, group="verify")
    def _verify(self, kept: Sequence[Kept]) -> None:
        """One after the other: it reads all bytes of them."""
        for one in kept:
            if not self.is_attached:
                return
            self.post_message(self.Verified(one, checkpoint_list.verdict(one.path)))

    @on(Verified)
    def _take_verdict(self, event: Verified) -> None:
        self._verdicts[event.kept] = event.verdict
        self._draw()

    # ------------------------------------------------------------------ what is drawn

    def _draw(self) -> None:
        options = self.query_one(OptionList)
        place = options.highlighted
        rows = [("step", "size", "saved", "verifies", "kept as"), *map(self._row, self._kept)]
        widths = widths_of(rows, max(20, options.content_size.width - 2))
        lines = ["  ".join(_cells(row, widths)) for row in rows]
        self.query_one("#titles", Field).show((lines[0], "$text-muted"))
        options.clear_options()
        options.add_options(
            [
                Option(content((line, "$text-error" if self._verdicts.get(one) else "")))
                for line, one in zip(lines[1:], self._kept, strict=True)
            ]
        )
        if self._kept:
            options.highlighted = min(place or 0, len(self._kept) - 1)

    def _row(self, kept: Kept) -> Sequence[str]:
        verdict = self._verdicts.get(kept)
        whole = "…" if verdict is None else ("damaged" if verdict else "yes")
        size = amounts.size(kept.bytes) if kept.t is not None else amounts.UNKNOWN
        return f"{kept.step:,}", size, _when(kept.t), whole, kept.why

    def _say(self) -> None:
        """What is known of the chosen one beyond its line."""
        chosen = self._chosen
        if chosen is None:
            self.query_one("#found", Field).show(NOTHING, layout=True)
            return
        parts: list[Part] = []
        verdict = self._verdicts.get(chosen)
        if verdict:
            parts.append((f"damaged: {verdict}\n", "$text-error"))
        mine = [score for score in self._scores if score.step == chosen.step]
        for score in mine:
            _, metric, value, *_ = scores.texts(score)
            parts += [(f"{metric} ", "$text-muted"), f"{value}   "]
        self.query_one("#found", Field).show(
            *parts or (("not scored yet: e scores it", "$text-muted"),), layout=True
        )

    def on_option_list_option_highlighted(self) -> None:
        self._say()

    def on_option_list_option_selected(self) -> None:
        self.action_play()

    # ------------------------------------------------------------------ what can be done

    def action_play(self) -> None:
        if self._chosen is not None:
            self.post_message(self.PlaygroundWanted(self.run.id, self._chosen.step))

    def action_fork(self) -> None:
        if self._chosen is not None:
            self._fork(self._chosen.step)

    @work(thread=True, group="fork")
    def _fork(self, step: int) -> None:
        from genai_tui import lineage

        try:
            found = lineage.fork(self.run)
        except (RunError, OSError) as error:
            self._tell(str(error), severe=True)
        else:
            self.post_message(self.ForkWanted(replace(found, chosen=step)))

    def action_evaluate(self) -> None:
        if self._chosen is None:
            return
        if self.run.is_evaluated():
            self._tell_here("An evaluation of this run is under way: wait for it.", severe=True)
        else:
            self._evaluate(self._chosen.step)

    @work(thread=True, group="evaluate")
    def _evaluate(self, step: int) -> None:
        from genai_tui import evaluation
        from genai_tui.launch import LaunchError

        try:
            evaluation.begin(self.run, step)
        except LaunchError as error:
            self._tell(str(error), severe=True)
        else:
            self._tell(f"Step {step:,} is being scored; the scores come as they are found.")

    def _tell(self, sentence: str, *, severe: bool = False) -> None:
        """Says it from another thread."""
        cast(App[object], self.app).call_from_thread(self._tell_here, sentence, severe=severe)

    def _tell_here(self, sentence: str, *, severe: bool = False) -> None:
        level = "error" if severe else "information"
        self.notify(visible(sentence), severity=level, markup=False)


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The last one is words, whose beginning says most."""
    last = len(row) - 1
    return [cell(text, widths[i], name=i == last) for i, text in enumerate(row)]


def _when(t: float | None) -> str:
    if t is None or not 0 < t < 2**33:
        return amounts.UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(t))
