"""What every screen with a run in its hand can ask of it: the keys, the questions, the refusals."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from backends.records import Command, Verb
from genai_tui import amounts
from genai_tui.feed import Feed
from genai_tui.sample_files import folder_of
from genai_tui.store import LIVE, Run, RunError, Store, Summary
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.alerts.alert import Alert
    from genai_tui.lineage import Fork

LIVE_ACTIONS = frozenset({"pause", "stop", "sample", "checkpoint"})
"""What only a run that trains can be asked."""


PLAYGROUND = "Draw from any checkpoint of the run, as you like"


class Commanding(Screen[None]):
    """A screen whose keys command the run that `chosen` names."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space", "pause", "pause", tooltip="Pause the run, or let it go on", id="run.pause"
        ),
        Binding(
            "x",
            "stop",
            "stop",
            tooltip="Stop the run after a step, with a checkpoint",
            id="run.stop",
        ),
        Binding(
            "r",
            "resume",
            "resume",
            tooltip="Train on a run that has ended, for whatever reason",
            id="run.resume",
        ),
        Binding(
            "A", "alerts", "alerts", show=False, tooltip="What is wrong with it", id="run.alerts"
        ),
        Binding(
            "F",
            "fork",
            "fork",
            show=False,
            tooltip="A new run from its weights, with other settings",
            id="run.fork",
        ),
    ]

    class AlertsWanted(Message):
        """The user wants to know what is wrong with a run; None: what the App knows of it."""

        def __init__(self, run: Summary, alerts: "Sequence[Alert] | None") -> None:
            super().__init__()
            self.run = run
            self.alerts = alerts

    class PlaygroundWanted(Message):
        """The user wants to draw from a run's checkpoints."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class ForkWanted(Message):
        """The user wants to start a run that grows from another."""

        def __init__(self, fork: "Fork") -> None:
            super().__init__()
            self.fork = fork

    class SamplesWanted(Message):
        """The user wants to go through all samples of a run, from those in a folder on."""

        def __init__(self, run_id: str, relative: str) -> None:
            super().__init__()
            self.run_id = run_id
            self.relative = relative

    # Textual repaints the whole screen when focus moves; the two widgets repaint themselves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, store: Store, feed: Feed) -> None:
        super().__init__()
        self.store = store
        self.feed = feed
        self._wish = ("", "", "")  # run, verb and the state in which it was asked for last

    @property
    def chosen(self) -> Summary | None:
        """The run that keys are about."""
        raise NotImplementedError

    @property
    def in_hand(self) -> list[Summary]:
        """The runs that deleting is about."""
        return [self.chosen] if self.chosen is not None else []

    @property
    def idle_actions(self) -> frozenset[str]:
        """What the run's state leaves nothing to do for."""
        run = self.chosen
        if run is None:
            return frozenset({*LIVE_ACTIONS, "resume", "delete"})
        if run.state == "queued":
            return frozenset({*LIVE_ACTIONS, "resume", "delete"}) - {"stop"}
        return frozenset({"resume", "delete"}) if run.state in LIVE else LIVE_ACTIONS

    @property
    def names_now(self) -> Mapping[str, str]:
        """What the keys do that the run's state turns into others."""
        run = self.chosen
        return {"pause": "go on"} if run is not None and run.state == "paused" else {}

    @property
    def studio(self) -> App[object]:
        return cast(App[object], self.app)

    def commanded(self, command: Command) -> None:
        """A command is on its way."""

    def say(self, sentence: str, *, severe: bool = False) -> None:
        """A notice; what it says may come from anywhere."""
        level = "error" if severe else "information"
        self.notify(visible(sentence), severity=level, markup=False)

    def alerts(self) -> "Sequence[Alert] | None":
        """What is wrong with the run, if this screen looks after that."""
        return None

    def action_alerts(self) -> None:
        if self.chosen is not None:
            self.post_message(self.AlertsWanted(self.chosen, self.alerts()))

    def action_pause(self) -> None:
        run = self.chosen
        if run is None:
            return
        verb: Verb = "resume" if run.state == "paused" else "pause"
        wish = run.id, verb, run.state
        if wish == self._wish:
            self.say(f"{run.name} is asked to {verb} already.")
        else:
            self._wish = wish
            self.command(verb)

    def action_stop(self) -> None:
        run = self.chosen
        if run is None:
            return
        if run.state not in LIVE:
            self.say(f"{run.name} is {run.state} already.")
            return
        if run.state == "queued":
            question = f"Take {visible(run.name)} out of the queue? r starts it at once."
            self._ask(question, "Take it out", lambda: self.command("stop"))
            return
        question = f"Stop {visible(run.name)} after this step? A checkpoint is kept: r resumes it."
        self._ask(question, "Stop", lambda: self.command("stop"))

    def action_resume(self) -> None:
        run = self.chosen
        if run is None:
            return
        if run.state == "paused":
            self.command("resume")
        elif run.state in LIVE:
            self.say(f"{run.name} is {run.state} already.")
        elif run.state == "broken":
            self.say(f"{run.id} cannot be resumed: {run.error}", severe=True)
        elif run.state == "finished":
            self._ask_steps(run)
        else:
            self._resume(self._run(run), None)

    def action_delete(self) -> None:
        runs = self.in_hand
        busy = [run for run in runs if run.state in LIVE]
        if busy:
            self.say(f"{busy[0].name} is {busy[0].state}: stop it before you delete it.")
        elif runs:
            self._measure([self._run(run) for run in runs], called(runs), len(runs) == 1)

    def action_playground(self) -> None:
        if self.chosen is not None:
            self.post_message(self.PlaygroundWanted(self.chosen.id))

    def action_fork(self) -> None:
        run = self.chosen
        if run is None:
            return
        if run.state == "broken":
            self.say(f"{run.id} cannot be forked: {run.error}", severe=True)
        else:
            self._fork(self._run(run))

    @work(thread=True, group="fork")
    def _fork(self, run: Run) -> None:
        """Looks which checkpoints there are, and hands them over."""
        from genai_tui import lineage

        try:
            found = lineage.fork(run)
        except (RunError, OSError) as error:
            self.studio.call_from_thread(self.say, str(error), severe=True)
        else:
            self.post_message(self.ForkWanted(found))

    def on_samples_opened(self) -> None:
        self.action_samples()

    def action_samples(self) -> None:
        run = self.chosen
        if run is not None and run.state != "broken":
            self.post_message(self.SamplesWanted(run.id, folder_of(run.status.sample)))

    def command(self, verb: Verb) -> None:
        """Leaves a command for the worker, or says why not."""
        if self.chosen is None:
            return
        try:
            command = self._run(self.chosen).command(verb)
        except (RunError, OSError) as error:
            self.say(str(error), severe=True)
        else:
            self.commanded(command)

    def _run(self, summary: Summary) -> Run:
        return Run(self.store.root / summary.id)

    def _ask(
        self, question: str, yes: str, then: Callable[[], object], *, danger: bool = False
    ) -> None:
        from genai_tui.screens.dialogs import Confirm  # not needed for the first paint

        dialog = Confirm(question, yes, danger=danger)

        def decided(agreed: bool | None) -> None:
            if agreed:
                then()

        self.studio.push_screen(dialog, decided)

    def _ask_steps(self, run: Summary) -> None:
        from genai_tui.screens.dialogs import AskSteps

        done = max(run.status.step, run.status.of)
        question = f"{visible(run.name)} has finished its {done:,} steps. Train on to step:"

        def then(steps: int | None) -> None:
            if steps is not None:
                self._resume(self._run(run), steps)

        self.studio.push_screen(AskSteps(question, done, 2 * done), then)

    @work(thread=True, group="launch")
    def _resume(self, run: Run, steps: int | None) -> None:
        from genai_tui import launch

        try:
            launch.resume(run, steps)
        except (launch.LaunchError, RunError) as error:
            self.studio.call_from_thread(self.say, str(error), severe=True)
        else:
            self.studio.call_from_thread(self.say, f"{run.label} resumes.")

    @work(thread=True, group="delete")
    def _measure(self, runs: list[Run], name: str, one: bool) -> None:
        """A large run takes a while to count."""
        try:
            size = amounts.size(sum(run.size() for run in runs))
        except OSError:
            size = "an unknown part"
        question = (
            f"Delete {name} for good? {'It takes' if one else 'They take'} {size} of the disk."
        )
        then = partial(self._delete, runs)
        self.studio.call_from_thread(self._ask, question, "Delete", then, danger=True)

    @work(thread=True, group="delete")
    def _delete(self, runs: list[Run]) -> None:
        for run in runs:
            try:
                run.delete()
            except RunError as error:
                self.studio.call_from_thread(self.say, str(error), severe=True)
        self.feed.hurry()


def called(runs: list[Summary]) -> str:
    """The name of one run, or how many there are."""
    return visible(runs[0].name) if len(runs) == 1 else f"{len(runs)} runs"
