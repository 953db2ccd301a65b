"""What a user can write on the runs in hand: tags, a note, a name, and that they are put away."""

from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from genai_tui import annotations
from genai_tui.screens.commanding import Commanding, called
from genai_tui.store import RunError, Summary
from genai_tui.visible import visible


class Annotating(Commanding):
    """A screen whose keys write on the runs that ``in_hand`` names, or on the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "t", "tag", "tags", show=False, tooltip="Put tags on the run, or off", id="runs.tags"
        ),
        Binding("e", "note", "note", show=False, tooltip="Write a note on the run", id="runs.note"),
        Binding(
            "R", "rename", "rename", show=False, tooltip="Give it another name", id="runs.rename"
        ),
        Binding(
            "a",
            "archive",
            "archive",
            show=False,
            tooltip="Put the run away, or take it out again; nothing is lost",
            id="runs.archive",
        ),
    ]

    def action_tag(self) -> None:
        runs = [run for run in self.in_hand if run.state != "broken"]
        if not runs:
            return
        common = [tag for tag in runs[0].tags if all(tag in run.tags for run in runs)]

        def then(text: str) -> None:
            wanted = _tags(text)
            removed = [tag for tag in common if tag not in wanted]
            for run in runs:
                tags = annotations.with_tags(run.tags, wanted, removed)
                self._annotate(run, tags=tags)

        question = f"Tags of {called(runs)}, with spaces or commas between:"
        self._ask_text(question, " ".join(common), _tags_problem, then)

    def action_note(self) -> None:
        run = self.chosen
        if run is not None and run.state != "broken":
            question = f"Note on {visible(run.name)}; empty takes it away:"
            problem = annotations.note_problem
            self._ask_text(question, run.note, problem, lambda text: self._annotate(run, note=text))

    def action_rename(self) -> None:
        run = self.chosen
        if run is not None and run.state != "broken":
            question = f"New name of {visible(run.name)}; empty for its first one:"
            problem = annotations.name_problem
            self._ask_text(question, run.name, problem, lambda text: self._annotate(run, name=text))

    def action_archive(self) -> None:
        """Puts all away, or takes them out where all are away already."""
        runs = [run for run in self.in_hand if run.state != "broken"]
        if not runs:
            return
        archived = not all(run.archived for run in runs)
        for run in runs:
            self._annotate(run, archived=archived)
        what = "archived: H shows them" if archived else "taken out of the archive"
        self.say(f"{called(runs)} {'is' if len(runs) == 1 else 'are'} {what}.")

    def _ask_text(
        self,
        question: str,
        text: str,
        problem: Callable[[str], str],
        then: Callable[[str], object],
    ) -> None:
        from genai_tui.screens.dialogs import AskText  # not needed for the first paint

        def decided(typed: str | None) -> None:
            if typed is not None and typed != text:
                then(typed)

        self.studio.push_screen(AskText(question, text, problem), decided)

    @work(thread=True, group="annotate")
    def _annotate(
        self,
        run: Summary,
        name: str | None = None,
        tags: list[str] | None = None,
        note: str | None = None,
        archived: bool | None = None,
    ) -> None:
        try:
            self._run(run).annotate(name=name, tags=tags, note=note, archived=archived)
        except RunError as error:
            self.studio.call_from_thread(self.say, str(error), severe=True)
        else:
            self.feed.hurry()


def _tags(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _tags_problem(text: str) -> str:
    problems = [annotations.tag_problem(tag) for tag in _tags(text)]
    return next(filter(None, problems), "")
