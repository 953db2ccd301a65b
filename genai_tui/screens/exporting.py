"""What every screen with samples in its hand can do with them: save them as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from genai_tui import stars
from genai_tui.sample_files import Drawn
from genai_tui.settings import Settings, exports_dir
from genai_tui.store import Run, RunError
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.exports.samples import Subject, What


@dataclass(frozen=True, slots=True)
class Chosen:
    """The samples that keys are about: of one step, or one of them."""

    run: Run
    drawn: Drawn
    tile: int | None = None

    @property
    def name(self) -> str:
        """How the run's stars call them."""
        return stars.name_of(self.drawn.relative, self.tile)

    @property
    def words(self) -> str:
        """How a sentence calls them."""
        which = "the samples" if self.tile is None else f"sample {self.tile + 1}"
        return f"{which} of step {self.drawn.step:,}"


class Preferring(Protocol):
    """What this needs of the App."""

    settings: Settings


class Exporting(Screen[None]):
    """A screen whose `E` saves the samples that `selected` names."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("E", "export", "export", tooltip="Save it as a file", id="samples.export"),
    ]

    @property
    def selected(self) -> Sequence[Chosen]:
        """What is exported together."""
        raise NotImplementedError

    @property
    def studio(self) -> App[object]:
        return cast(App[object], self.app)

    def say(self, sentence: str, *, severe: bool = False) -> None:
        """A notice; what it says may come from anywhere."""
        level = "error" if severe else "information"
        self.notify(visible(sentence), severity=level, markup=False)

    def action_export(self) -> None:
        if self.selected:
            self._look_through(self.selected)

    @work(thread=True, group="exports")
    def _look_through(self, selected: Sequence[Chosen]) -> None:
        """What the samples can be exported as, which their files tell."""
        from genai_tui.exports.samples import Subject, kinds

        subjects = [Subject(one.run, one.drawn, one.tile) for one in selected]
        self.studio.call_from_thread(self._ask_what, subjects, kinds(subjects))

    def _ask_what(self, subjects: "Sequence[Subject]", fitting: "Sequence[What]") -> None:
        if not fitting:
            self.say("These samples cannot be exported together.", severe=True)
            return
        from genai_tui.exports.samples import meaning
        from genai_tui.screens.choose import Answer, Choose

        folder = self.exports
        what = subjects[0].caption if len(subjects) == 1 else f"{len(subjects)} samples"
        question = f"Export {what} into {folder} as"
        answers = [Answer(one, one, meaning(one, subjects)) for one in fitting]

        def then(chosen: str | None) -> None:
            if chosen is not None:
                self._export(cast("What", chosen), subjects, folder)

        self.studio.push_screen(Choose(question, answers), then)

    @work(thread=True, group="exports")
    def _export(self, what: "What", subjects: "Sequence[Subject]", folder: Path) -> None:
        from genai_tui.exports.samples import ExportError, export

        try:
            made = export(what, subjects, folder)
        except (ExportError, RunError) as error:
            self._tell(f"Not exported: {error}", severe=True)
        else:
            more = f" and {len(made) - 1} more" if len(made) > 1 else ""
            self._tell(f"Exported {made[0]}{more}")

    @property
    def exports(self) -> Path:
        """The folder that files go to."""
        return exports_dir(cast("Preferring", self.studio).settings)

    def _tell(self, sentence: str, *, severe: bool = False) -> None:
        """Says something from a thread."""
        self.studio.call_from_thread(self.say, sentence, severe=severe)
