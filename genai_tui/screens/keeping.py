"""What every screen with samples in its hand can do with them: star, note, copy the path, play."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.widget import Widget

from genai_tui import sample_files, stars
from genai_tui.player import Player, PlayError
from genai_tui.screens.exporting import Chosen, Exporting
from genai_tui.stars import Keepsake
from genai_tui.store import RunError


def quiet(key: str, action: str, name: str, tooltip: str, id: str) -> Binding:
    """A key that the footer leaves to the help and the command palette."""
    return Binding(key, action, name, show=False, tooltip=tooltip, id=id)


class Keeping(Exporting):
    """A screen whose keys keep and take away the samples that `chosen` names."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("asterisk", "star", "star", tooltip="Star it, to find it again", id="samples.star"),
        quiet("e", "note", "note", "Write a note to it", "samples.note"),
        quiet("y", "copy", "copy path", "Copy its path", "samples.copy"),
        quiet("o", "play", "play sound", "Play the sound; again: silence", "samples.sound"),
    ]

    # Textual repaints the whole screen when focus moves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self._player = Player()

    @property
    def chosen(self) -> Chosen | None:
        """What keys are about."""
        raise NotImplementedError

    @property
    def selected(self) -> Sequence[Chosen]:
        """What is exported together."""
        return [] if self.chosen is None else [self.chosen]

    def keep(self, run_id: str, kept: dict[str, Keepsake]) -> None:
        """All keepsakes of a run, after a change."""
        raise NotImplementedError

    def on_unmount(self) -> None:
        self._player.stop()

    def action_star(self) -> None:
        if self.chosen is not None:
            self._star(self.chosen)

    def action_note(self) -> None:
        if self.chosen is not None:
            self._look_up_note(self.chosen)

    def action_copy(self) -> None:
        if self.chosen is not None:
            self._look_up_path(self.chosen)

    def action_play(self) -> None:
        if self._player.is_playing:
            self._player.stop()
        elif self.chosen is not None:
            self._play(self.chosen)

    @work(thread=True, group="keepsakes")
    def _star(self, chosen: Chosen) -> None:
        self._change(chosen, lambda before: Keepsake(not before.starred, before.note))

    @work(thread=True, group="keepsakes")
    def _look_up_note(self, chosen: Chosen) -> None:
        self.studio.call_from_thread(self._ask_note, chosen, _kept(chosen))

    def _ask_note(self, chosen: Chosen, before: Keepsake) -> None:
        from genai_tui.screens.ask_note import AskNote  # screens are loaded when they are wanted

        def then(note: str | None) -> None:
            if note is not None:
                self._keep_note(chosen, note)

        question = f"A note to {chosen.words}:"
        self.studio.push_screen(AskNote(question, before.note), then)

    @work(thread=True, group="keepsakes")
    def _keep_note(self, chosen: Chosen, note: str) -> None:
        self._change(chosen, lambda before: Keepsake(before.starred, note))

    def _change(self, chosen: Chosen, become: Callable[[Keepsake], Keepsake]) -> None:
        try:
            kept = stars.change(chosen.run.path, chosen.name, become)
        except (OSError, RunError) as error:
            self._tell(f"Not kept: {error}", severe=True)
        else:
            self.studio.call_from_thread(self.keep, chosen.run.id, kept)

    @work(thread=True, group="paths")
    def _look_up_path(self, chosen: Chosen) -> None:
        self.studio.call_from_thread(self._copy, file_of(chosen))

    def _copy(self, path: str) -> None:
        self.studio.copy_to_clipboard(path)
        self.say(f"Copied: {path}")

    @work(thread=True, group="sounds")
    def _play(self, chosen: Chosen) -> None:
        found = sample_files.find(chosen.run.path, chosen.drawn.relative).sounds
        number = chosen.tile or 0
        if number >= len(found):
            self._tell("These samples are no sounds.")
            return
        try:
            name = self._player.play(found[number].absolute())
        except PlayError as error:
            self._tell(f"Not played: {error}", severe=True)
        else:
            self._tell(f"{name} plays {found[number]}")


def _kept(chosen: Chosen) -> Keepsake:
    return stars.read(chosen.run.path).get(chosen.name, Keepsake())


def file_of(chosen: Chosen) -> str:
    """The absolute path of what is chosen: a file of one sample, or the folder of all."""
    folder = (chosen.run.path / chosen.drawn.relative).absolute()
    if chosen.tile is None:
        return str(folder)
    found = sample_files.find(chosen.run.path, chosen.drawn.relative).each
    return str(found[chosen.tile] if chosen.tile < len(found) else folder)
