"""The New run screen: pick a generator and its data, turn the knobs, see what it means, start."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, cast

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from backends.records import Catalogue, Plan, PlanRequest
from genai_tui import services, sweep
from genai_tui.lineage import Fork
from genai_tui.services import Services
from genai_tui.store import Run, Store
from genai_tui.sweep import Variant
from genai_tui.visible import visible
from genai_tui.widgets.config_form import FILTER_TOOLTIP
from genai_tui.widgets.draft import Draft
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.plan_summary import Outlook, PlanSummary
from genai_tui.widgets.run_editor import RunEditor

WIDE, VERY_WIDE, CAPTIONS_HEIGHT = 112, 150, 36
BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide"), (VERY_WIDE, "-very-wide")]


def _binding(key: str, action: str, tooltip: str, *, show: bool = True) -> Binding:
    id_ = f"new.{action}"
    return Binding(key, action, action, show=show, tooltip=tooltip, id=id_)


class NewRunScreen(Screen[None]):
    """Asks the planner about the editor's draft, shows the answer, and starts it on request."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    DEBOUNCE: ClassVar[float] = 0.2
    """Seconds without a change after which the planner is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _binding("ctrl+s", "start", "Start the run and watch it; the runs of a sweep queue"),
        _binding("ctrl+e", "queue", "Queue it until a GPU is free; without any, until the CPU is"),
        _binding("slash,ctrl+f", "filter", FILTER_TOOLTIP),
        _binding("escape", "back", "Back; nothing is started. Asks where something was changed"),
        _binding("ctrl+y", "copy", "Copy the shell command that starts the same", show=False),
        _binding("ctrl+r", "reread", "Read again what can be picked", show=False),
    ]
    DEFAULT_CSS = """
    NewRunScreen {
        & #body { height: 1fr; layout: horizontal; }
        & KeyBar { height: 1; dock: bottom; }
        & RunEditor { width: 1fr; height: 1fr; }
        & PlanSummary { width: 38; height: 1fr; }
        &.-narrow #body { layout: vertical; }
        &.-narrow PlanSummary { width: 1fr; height: auto; min-height: 5; max-height: 8; }
        &.-narrow #lists { width: 28; }
        &.-narrow #datasets { height: 6; }
        &.-narrow #hint { height: 2; }
        &.-very-wide PlanSummary { width: 54; }
        &.-very-wide #lists { width: 42; }
    }
    """

    class Started(Message):
        """The run is training and wants to be opened."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class Swept(Message):
        """The runs of a sweep wait for their turns and want to be listed."""

        def __init__(self, tag: str, ids: Sequence[str]) -> None:
            super().__init__()
            self.tag = tag
            self.ids = ids

    class Cancelled(Message):
        """The user went back."""

    class CatalogueRead(Message):
        """What can be picked; or the sentence that says why nobody knows."""

        def __init__(self, catalogue: Catalogue, error: str = "") -> None:
            super().__init__()
            self.catalogue = catalogue
            self.error = error

    class Planned(Message):
        """The planner's answer to a request."""

        def __init__(self, request: PlanRequest, plan: Plan) -> None:
            super().__init__()
            self.request = request
            self.plan = plan

    class StartFailed(Message):
        """Nothing was started; the sentence says why."""

        def __init__(self, error: str) -> None:
            super().__init__()
            self.error = error

    def __init__(
        self, store: Store, services_: Services | None = None, fork: Fork | None = None
    ) -> None:
        """``fork``: the run from which the new one shall grow."""
        super().__init__()
        self._fork = fork
        self._store = store
        self._services = services_ or services.real()
        self._planner = self._services.planner()
        self._obstacle = ""  # why there is nothing to pick from
        self._asking: PlanRequest | None = None
        self._planned: PlanRequest | None = None
        self._plan: Plan | None = None
        self._later: Timer | None = None
        self._starting = False
        self._left = False

    def compose(self) -> ComposeResult:
        with Container(id="body"):
            yield RunEditor(self._fork)
            yield PlanSummary()
        yield KeyBar()

    def on_mount(self) -> None:
        fork = self._fork
        self._summary.border_title = Content(visible(f"fork of {fork.name}" if fork else "new run"))
        (self._editor.form if fork else self._editor.models).focus()
        self.action_reread()

    def on_resize(self, event: events.Resize) -> None:
        wide = event.size.width >= WIDE
        self._summary.brief = not wide
        self._editor.tell_captions(wide and event.size.height >= CAPTIONS_HEIGHT)

    def on_unmount(self) -> None:
        self._left = True
        self._planner.close()

    @property
    def _editor(self) -> RunEditor:
        return self.query_one(RunEditor)

    @property
    def _summary(self) -> PlanSummary:
        return self.query_one(PlanSummary)

    # ------------------------------------------------------------------ the catalogue

    def action_reread(self) -> None:
        """Reads the catalogue: at first, and again after an entry was mended."""
        self._obstacle = "reading the catalogue…"
        self._tell()
        self._read_catalogue()

    @work(thread=True, exclusive=True, group="catalogue")
    def _read_catalogue(self) -> None:
        try:
            self.post_message(self.CatalogueRead(self._services.catalogue()))
        except RuntimeError as error:
            self.post_message(self.CatalogueRead(Catalogue(), str(error)))

    @on(CatalogueRead)
    def _take_catalogue(self, message: CatalogueRead) -> None:
        self._obstacle = f"{message.error} (ctrl+r tries again)" if message.error else ""
        self._editor.show(message.catalogue)

    # ------------------------------------------------------------------ what the draft means

    @on(RunEditor.Changed)
    def _ask_soon(self) -> None:
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(self.DEBOUNCE, self._ask)
        self._tell()

    def _ask(self) -> None:
        """Puts the question of the moment: one at a time, the next when that is answered."""
        request = _request(self._editor.draft)
        if request is not None and self._asking is None and request != self._planned:
            self._asking = request
            self._ask_planner(request)

    @work(thread=True, group="plan")
    def _ask_planner(self, request: PlanRequest) -> None:
        try:
            plan = self._planner.plan(request)
        except RuntimeError as error:
            plan = Plan(error=str(error))
        if self._left:
            self._planner.close()  # the question was put just when the screen went
        self.post_message(self.Planned(request, plan))

    @on(Planned)
    def _take_plan(self, message: Planned) -> None:
        self._asking, self._planned, self._plan = None, message.request, message.plan
        if message.plan.classes is not None:
            self._editor.learn(message.request.dataset, message.plan.classes)
        self._tell()
        self._ask()

    def _tell(self) -> None:
        """Brings the summary up to date."""
        model, draft = self._editor.model, self._editor.draft
        request, planned = _request(draft), self._planned
        known = planned is not None and model is not None and planned.model == model.name
        self._summary.outlook = Outlook(
            title=model.name if model else "",
            caption=model.caption if model else "",
            plan=self._plan if known else None,
            pending=request is not None and request != planned,
            steps=draft.steps if draft else 0,
            batch=draft.batch if draft else 0,
            words=tuple(draft.words(self._store.root)) if draft else (),
            problem=self._obstacle or self._editor.problem,
            starting=self._starting,
            runs=len(draft.variants()) if draft else 1,
        )

    # ------------------------------------------------------------------ keys

    def action_filter(self) -> None:
        if not self._obstacle:
            self._editor.form.start_filter()

    def action_back(self) -> None:
        """Leaves at once where nothing was typed; else asks first."""
        if self._starting:
            return
        touched = self._editor.form.touched
        if not touched:
            self.post_message(self.Cancelled())
            return
        from genai_tui.screens.dialogs import Confirm  # not needed for the first paint

        def decided(agreed: bool | None) -> None:
            if agreed:
                self.post_message(self.Cancelled())

        many = "1 setting is" if touched == 1 else f"{touched} settings are"
        question = f"Leave? {many} changed; nothing is started."
        cast(App[object], self.app).push_screen(Confirm(question, "Leave"), decided)

    def action_copy(self) -> None:
        draft = self._editor.draft
        if draft is not None:
            cast(App[object], self.app).copy_to_clipboard(" ".join(draft.words(self._store.root)))
            self.notify("The command is in the clipboard.")

    def action_start(self) -> None:
        self._begin(queue=False)

    def action_queue(self) -> None:
        self._begin(queue=True)

    def _begin(self, *, queue: bool) -> None:
        """Starts the draft; where there is none, says why and goes there."""
        draft = self._editor.draft
        problem = self._obstacle or self._editor.problem
        if self._starting:
            return
        if self._editor.form.finds_nothing:
            self._say("no setting matches the filter: esc clears it")
            return
        if draft is None:
            self._editor.go_to_problem()
            self._say(problem or "pick a generator first")
            return
        self._starting = True
        self._tell()
        self._start(draft, queue)

    @work(thread=True, group="start")
    def _start(self, draft: Draft, queue: bool) -> None:
        try:
            self.post_message(self._swept(draft) if draft.sweep else self._started(draft, queue))
        except RuntimeError as error:
            self.post_message(self.StartFailed(str(error)))

    def _started(self, draft: Draft, queue: bool) -> Started:
        run = self._create(draft, draft.variants()[0])
        self._services.start(run, queue=queue)
        return self.Started(run.id)

    def _swept(self, draft: Draft) -> Swept:
        tag, runs = sweep.create(draft.variants(), partial(self._create, draft))
        sweep.queue(runs, partial(self._services.start, queue=True))
        return self.Swept(tag, [run.id for run in runs])

    def _create(self, draft: Draft, one: Variant) -> Run:
        return self._services.create(
            self._store,
            model=draft.model,
            dataset=draft.dataset,
            settings=one.settings,
            name=one.name,
            seed=one.seed,
            device=draft.device,
            begin=draft.begin,
            planner=self._planner,
        )

    @on(StartFailed)
    def _take_failure(self, message: StartFailed) -> None:
        self._starting = False
        self._tell()
        self._say(message.error)

    def _say(self, sentence: str) -> None:
        self.notify(visible(sentence), title="Not started", severity="error", markup=False)


def _request(draft: Draft | None) -> PlanRequest | None:
    return draft.request() if draft else None
