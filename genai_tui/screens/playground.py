"""The playground: draws from any checkpoint of a run, as asked, and shows how it comes about."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, cast

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from backends.knob import Knob
from backends.records import SampleRequest
from genai_tui import amounts, playground
from genai_tui.command_line import wrapped
from genai_tui.player import Player, PlayError
from genai_tui.playground import Advanced, Drawn, Opened, Refused, Result, Wrote
from genai_tui.run import Run, RunError
from genai_tui.screens.exporting import Chosen, Exporting
from genai_tui.screens.sampling import Begin, Sampling
from genai_tui.visible import visible
from genai_tui.widgets.config_form import FILTER_TOOLTIP, ConfigForm
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.gallery import Gallery
from genai_tui.widgets.kept_list import KeptList
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.play_draft import (
    WATCH,
    Checkpoints,
    PlayDraft,
    drafted,
    refilled,
    sections,
)
from genai_tui.widgets.showing import Showing

BREAKPOINTS = [(0, "-narrow"), (112, "-wide"), (170, "-very-wide")]
LOOK_SECONDS = 3.0
"""Between two looks for newer checkpoints of a run that trains."""
EXACT = 10.0
"""Seconds; what takes longer is told in whole ones."""
LARGEST_SEED = 2**32 - 1


def _binding(key: str, action: str, name: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(key, action, name, show=show, tooltip=tooltip, id=f"playground.{action}")


class PlaygroundScreen(Sampling, Exporting):
    """Turns the form into drawings; widgets are told what to show of them."""

    CSS_PATH = "playground.tcss"
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        _binding("ctrl+s", "draw", "draw", "Draw what the form asks for"),
        _binding("ctrl+n", "another", "another", "Draw the same with the next seed"),
        _binding("escape", "leave", "back", "Stop the drawing; or back, which ends the sampler"),
        _binding("slash,ctrl+f", "filter", "filter", FILTER_TOOLTIP, show=False),
        _binding(
            "ctrl+y", "copy", "copy", "Copy the shell command that draws the same", show=False
        ),
        _binding("ctrl+r", "look", "look again", "Look for newer checkpoints", show=False),
    ]

    class Closed(Message):
        """The user went back."""

    class Looked(Message, bubble=False):
        """What the run's folder has of checkpoints."""

        def __init__(self, checkpoints: Checkpoints) -> None:
            super().__init__()
            self.checkpoints = checkpoints

    class Listed(Message, bubble=False):
        """What has been kept; the result with the id ``show`` is to be shown."""

        def __init__(self, results: Sequence[Result], show: str) -> None:
            super().__init__()
            self.results = results
            self.show = show

    class Known(Message, bubble=False):
        """What a model of that kind can be asked for, by the catalogue."""

        def __init__(self, knobs: Sequence[Knob]) -> None:
            super().__init__()
            self.knobs = knobs

    def __init__(self, run: Run, *, step: int | None = None, begin: Begin | None = None) -> None:
        super().__init__(run, begin)
        self._step = step  # the checkpoint that the user came for
        self._player = Player()
        self._checkpoints = Checkpoints()
        self._knobs: Sequence[Knob] = ()

    def compose(self) -> ComposeResult:
        yield Field(id="head")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield ConfigForm(id="form")
                yield KeptList(id="kept")
            yield Showing(self.run, id="showing")
        yield Field(id="command")
        yield KeyBar()

    def on_mount(self) -> None:
        entitle(self._form, "ask")
        self._showing.say("ctrl+s draws what the form asks for · enter on a kept result repeats it")
        self._form.focus()
        self.report("looking for checkpoints…")
        self.action_look()
        self.set_interval(LOOK_SECONDS, self._look_for_checkpoints)
        self._ask_catalogue()

    def on_unmount(self) -> None:
        self._player.stop()

    @property
    def _form(self) -> ConfigForm:
        return self.query_one(ConfigForm)

    @property
    def _showing(self) -> Showing:
        return self.query_one(Showing)

    # ------------------------------------------------------------------ what the run has

    def action_look(self) -> None:
        """Looks for checkpoints and results."""
        self._look_into_folder()
        self._read_results()

    @work(thread=True, exclusive=True, group="look")
    def _look_into_folder(self) -> None:
        steps = self.run.checkpoint_steps()
        found = Checkpoints(tuple(steps), playground.best_step(steps, playground.losses(self.run)))
        self.post_message(self.Looked(found))

    @on(Looked)
    def _take_look(self, event: Looked) -> None:
        if event.checkpoints != self._checkpoints:
            self._take_checkpoints(event.checkpoints)
        if not self._checkpoints.steps:
            self.report("no checkpoint yet: c on the run's screen writes one, ctrl+r looks again")
        elif self.opened is None and self.drawing is None:
            newest = self._checkpoints.steps[-1]
            self.open_checkpoint(newest if self._step is None else self._step)

    def _take_checkpoints(self, checkpoints: Checkpoints) -> None:
        """Offers them; what is being typed meanwhile is left alone."""
        first, self._checkpoints = not self._checkpoints.steps, checkpoints
        if not first:
            self._form.renew(sections(checkpoints, self._knobs))
            return
        self._form.show(sections(checkpoints, self._knobs))
        if self._step is not None:
            self._refill(self._step, SampleRequest())

    @work(thread=True, exclusive=True, group="checkpoints")
    def _look_for_checkpoints(self) -> None:
        if tuple(self.run.checkpoint_steps()) != self._checkpoints.steps:
            cast(App[object], self.app).call_from_thread(self._look_into_folder)

    @work(thread=True, group="catalogue")
    def _ask_catalogue(self) -> None:
        """The form need not wait for PyTorch: models of that kind have been described before."""
        from genai_tui import launch

        try:
            model = self.run.spec().model
        except RunError:
            return
        known = launch.remembered()
        for info in known.models if known else []:
            if info.name == model:
                self.post_message(self.Known(info.request))

    @on(Known)
    def _take_known(self, event: Known) -> None:
        if self.opened is None and not self._knobs:
            self._know(event.knobs)

    def _know(self, knobs: Sequence[Knob]) -> None:
        if list(knobs) != list(self._knobs):
            self._knobs = knobs
            self._form.show(sections(self._checkpoints, knobs))

    # ------------------------------------------------------------------ what the form asks for

    @property
    def draft(self) -> PlayDraft | str:
        return drafted(self._checkpoints, self._form.fields)

    @on(ConfigForm.Changed)
    def _form_changed(self) -> None:
        self._show_command()

    @on(ConfigForm.Moved)
    def _form_moved(self) -> None:
        self._show_command()

    def on_resize(self, event: events.Resize) -> None:
        self._show_command()

    def _show_command(self) -> None:
        """The command that does the same, or what is wrong; and what the field is about."""
        draft, field = self.draft, self._form.field
        bar = self.query_one("#command", Field)
        if isinstance(draft, str):
            bar.show((draft, "$text-error"), layout=True)
            return
        about = field.about() if field is not None and self._form.has_focus else ""
        lines = wrapped(draft.words(self.run), max(20, self.size.width - 4))
        parts = [("\n".join(lines), "$foreground 80%"), (f"\n{about}" * bool(about), "$text-muted")]
        bar.show(*parts, layout=True)

    def action_filter(self) -> None:
        self._form.start_filter()

    def action_copy(self) -> None:
        draft = self.draft
        if isinstance(draft, PlayDraft):
            cast(App[object], self.app).copy_to_clipboard(" ".join(draft.words(self.run)))
            self.notify("The command is in the clipboard.")

    # ------------------------------------------------------------------ drawing

    def action_draw(self) -> None:
        """Draws what the form asks for."""
        draft = self.draft
        if isinstance(draft, str):
            self.complain(draft)
            return
        self._showing.begin()
        self.draw(draft.step, draft.request, watch=draft.watch)

    def action_another(self) -> None:
        seed = self._form.text("what", "seed")
        draft = self.draft
        if isinstance(draft, PlayDraft) and seed:
            following = (draft.request.seed + 1) % (LARGEST_SEED + 1)
            self._type({"seed": str(following)})
        self.action_draw()

    def _type(self, texts: dict[str, str]) -> None:
        """Types into fields of these names, and leaves all others as they are."""
        form = self._form
        form.fill({field.key: texts.get(field.knob.name, field.text) for field in form.fields})

    @on(Gallery.NeighboursWanted)
    def _draw_neighbours(self, event: Gallery.NeighboursWanted) -> None:
        shown = self._showing.result
        if shown is not None:
            self._refill(shown.kept.step, shown.kept.request)
            self._type({"around": str(event.tile)})
            self.action_draw()

    @on(Gallery.SoundWanted)
    def _play_sound(self, event: Gallery.SoundWanted) -> None:
        if self._player.is_playing:
            self._player.stop()
        else:
            self._start_sound(event.sound)

    @work(thread=True, group="sound")
    def _start_sound(self, sound: Path) -> None:
        try:
            self._player.play(sound)
        except PlayError as error:
            self.post_message(self.Heard(Refused(why=str(error))))

    @on(Gallery.PathWanted)
    def _copy_path(self, event: Gallery.PathWanted) -> None:
        cast(App[object], self.app).copy_to_clipboard(str(event.path))
        self.notify(visible(f"{event.path} is in the clipboard."), markup=False)

    def action_leave(self) -> None:
        if not self.stop_drawing():
            self.post_message(self.Closed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """``E`` is a letter while the form has the focus."""
        if action == "export":
            return self.is_mounted and not self._form.has_focus and bool(self.selected)
        return super().check_action(action, parameters)

    @property
    def selected(self) -> Sequence[Chosen]:
        """The result under the cursor of the list, or the one that is shown, or a tile of it."""
        kept = self.query_one(KeptList)
        result = kept.chosen if kept.has_focus else self._showing.result
        if result is None:
            return []
        tile = None if kept.has_focus else self._showing.alone
        return [Chosen(self.run, result.drawn, tile)]

    # ------------------------------------------------------------------ what the sampler tells

    def take_opened(self, told: Opened) -> None:
        self._know(told.knobs)
        if self.drawing is None:
            self.report(f"warm on {told.device}")

    def take_news(self, told: Advanced | Wrote) -> None:
        if isinstance(told, Wrote):
            self._showing.grow(told)
        else:
            self.report(f"drawing · {told.share:.0%}")
            self._showing.follow(told)

    def take_drawn(self, told: Drawn) -> None:
        took = f"{told.seconds:.2g} s" if told.seconds < EXACT else amounts.duration(told.seconds)
        self.report(f"{told.count} samples in {took}")
        self._read_results(told.id)

    def take_end(self) -> None:
        if self._showing.result is not None:
            self._show_result(self._showing.result)

    # ------------------------------------------------------------------ what is kept

    @work(thread=True, exclusive=True, group="results")
    def _read_results(self, show: str = "") -> None:
        """Lists what is kept; the result with that id is shown."""
        self.post_message(self.Listed(playground.results(self.run), show))

    @on(Listed)
    def _take_list(self, event: Listed) -> None:
        self.query_one(KeptList).show(event.results, at=event.show)
        for result in event.results:
            if result.id == event.show:
                self._show_result(result)

    def _show_result(self, result: Result) -> None:
        self._showing.show(result, self._knobs)

    @on(Showing.Shown)
    def _mark_shown(self, event: Showing.Shown) -> None:
        kept = self.query_one(KeptList)
        kept.show(kept.results, at=event.result.id)
        self.refresh_bindings()

    @on(KeptList.Wanted)
    def _repeat(self, event: KeptList.Wanted) -> None:
        """Shows a result, and asks in the form as it was asked."""
        kept = event.result.kept
        self._refill(kept.step, kept.request)
        self._show_result(event.result)

    @on(KeptList.Unwanted)
    def _ask_to_delete(self, event: KeptList.Unwanted) -> None:
        from genai_tui.screens.dialogs import Confirm  # not needed for the first paint

        def decided(agreed: bool | None) -> None:
            if agreed:
                self._delete(event.result)

        question = f"Delete {event.result.kept.request.count} samples that are kept?"
        cast(App[object], self.app).push_screen(Confirm(question, "Delete", danger=True), decided)

    @work(thread=True, group="delete")
    def _delete(self, result: Result) -> None:
        try:
            playground.delete(self.run, result.id)
        except RunError as error:
            self.post_message(self.Heard(Refused(why=str(error))))
        self._read_results()

    def _refill(self, step: int, request: SampleRequest) -> None:
        """Makes the form ask for that; whether to watch stays as it is."""
        values = refilled(self._checkpoints, self._knobs, step, request)
        self._form.fill({**values, WATCH: self._form.text(*WATCH)})

    def report(self, sentence: str) -> None:
        try:
            spec = self.run.spec()
            what = f"{spec.model} · {spec.dataset}"
        except RunError:
            what = "–"
        head = self.query_one("#head", Field)
        head.show(
            ("playground  ", "bold"), f"{self.run.label}  ", (f"{what}  ", "$text-muted"), sentence
        )
