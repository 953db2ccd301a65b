"""What the present samples are compared with: a step of the same run, or another run."""

from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from genai_tui import sample_files
from genai_tui.moments import Moments, nearest
from genai_tui.sample_files import Drawn, folder_of, listing
from genai_tui.screens.choose import Answer, Choose
from genai_tui.screens.keeping import Keeping, quiet
from genai_tui.store import Run, Store
from genai_tui.visible import visible


@dataclass(frozen=True, slots=True)
class Other:
    """Another run to compare with, and the steps that it has samples of."""

    run: Run
    drawn: list[Drawn]


class Comparing(Keeping):
    """A screen that stands at one of the moments of a run; what it compares with it knows here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mark", "mark", tooltip="Compare with these from now on", id="samples.mark"),
        quiet(
            "B", "other", "other run", "Compare with another run, at the same step", "samples.other"
        ),
    ]

    def __init__(self, store: Store, run: Run, relative: str = "") -> None:
        """Begins at the samples in the folder ``relative``; empty are the newest."""
        super().__init__()
        self.store, self.run = store, run
        self.moments = Moments(relative)
        self._other: Other | None = None

    @property
    def kind(self) -> str:
        """What the run draws; empty while that is unknown."""
        raise NotImplementedError

    def show_compared(self) -> None:
        """What is compared with has been chosen anew."""
        raise NotImplementedError

    @property
    def reference(self) -> tuple[Run, Drawn | None]:
        """What the present samples are compared with: their run and step."""
        now = self.moments.now
        if self._other is not None and now is not None:
            return self._other.run, nearest(self._other.drawn, now.step)
        return self.run, self.moments.reference

    @property
    def against(self) -> str:
        """The same in words."""
        run, drawn = self.reference
        if drawn is None:
            return ""
        return f"step {drawn.step:,}" + ("" if run is self.run else f" of {run.label}")

    def action_mark(self) -> None:
        self.moments.toggle_mark()
        self._other = None
        self.show_compared()

    def action_other(self) -> None:
        if self.kind:
            self._find_others(self.kind)

    @work(thread=True, group="others", exclusive=True)
    def _find_others(self, kind: str) -> None:
        """Runs that draw the same kind of samples."""
        found = [Answer("", "(none)", "the steps of this run")]
        for run in self.store.summaries():
            path, newest = self.store.root / run.id, folder_of(run.status.sample)
            if run.id != self.run.id and sample_files.find(path, newest).kind == kind:
                found.append(Answer(run.id, visible(run.name), f"{run.model} · {run.dataset}"))
        self.studio.call_from_thread(self._ask_other, found)

    def _ask_other(self, answers: list[Answer]) -> None:
        if len(answers) == 1:
            self.say("There is no other run with samples of this kind.")
            return

        def then(run_id: str | None) -> None:
            if run_id is not None:
                self._list_other(run_id)

        self.studio.push_screen(Choose("Compare with the run", answers), then)

    @work(thread=True, group="others", exclusive=True)
    def _list_other(self, run_id: str) -> None:
        run = Run(self.store.root / run_id) if run_id else None
        other = None if run is None else Other(run, listing(run.path))
        self.studio.call_from_thread(self._set_other, other)

    def _set_other(self, other: Other | None) -> None:
        self._other = other
        self.show_compared()
