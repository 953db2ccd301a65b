"""The New run screen: pick a generator and its data, turn the knobs, see what it means, start."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from backends.records import Catalogue, DatasetInfo, ModelInfo, Plan, PlanRequest
from genai_tui.services import Services, real
from genai_tui.store import Store
from genai_tui.visible import visible
from genai_tui.widgets import draft
from genai_tui.widgets.config_form import ConfigForm
from genai_tui.widgets.draft import Draft
from genai_tui.widgets.model_picker import Entry, EntryPicker
from genai_tui.widgets.plan_summary import Outlook, PlanSummary

NARROW, CAPTIONS_WIDTH, CAPTIONS_HEIGHT = "-narrow", 100, 36
READING = "reading the catalogue…"


class NewRunScreen(Screen[None]):
    """Holds a draft of a run in its pickers and its form, and tells in the summary what it means."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [
        (0, NARROW),
        (100, "-wide"),
        (150, "-huge"),
    ]
    DEBOUNCE: ClassVar[float] = 0.2
    """Seconds without a change after which the planner is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start", tooltip="Start the run and open it", priority=True),
        Binding("slash,ctrl+f", "filter", "Filter", tooltip="Show only some settings"),
        Binding("ctrl+y", "copy", "Copy command", show=False),
        Binding("ctrl+r", "reread", "Read the catalogue again", show=False),
        Binding("escape", "back", "Back", tooltip="Back, and start nothing"),
    ]
    CSS = """
    NewRunScreen #body { layout: grid; height: 1fr; }
    NewRunScreen #models { height: auto; max-height: 60%; }
    NewRunScreen #datasets { height: 1fr; max-height: 100%; }
    NewRunScreen #form { height: 1fr; }
    NewRunScreen #hint { height: 3; padding: 0 2; color: $foreground 75%; }
    NewRunScreen.-narrow #body { grid-size: 2; grid-columns: 26 1fr; grid-rows: 1fr auto; }
    NewRunScreen.-narrow #hint { height: 2; }
    NewRunScreen.-narrow #summary { column-span: 2; height: auto; min-height: 5; max-height: 8; }
    NewRunScreen.-wide #body { grid-size: 3; grid-columns: 32 1fr 38; grid-rows: 1fr; }
    NewRunScreen.-huge #body { grid-size: 3; grid-columns: 42 1fr 54; grid-rows: 1fr; }
    """

    class Started(Message):
        """The run is training and wants to be opened."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class Cancelled(Message):
        """The user went back."""

    class CatalogueRead(Message):
        """What can be picked; or the sentence that says why that is not known."""

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

    def __init__(self, store: Store, services: Services | None = None) -> None:
        super().__init__()
        self._store = store
        self._services = services or real()
        self._planner = self._services.planner()
        self._catalogue = Catalogue()
        self._problem = READING
        self._chosen_data: dict[str, str] = {}  # by modality, where the user chose
        self._asking: PlanRequest | None = None
        self._plan: Plan | None = None
        self._planned: PlanRequest | None = None
        self._later: Timer | None = None
        self._starting = False

    # ------------------------------------------------------------------ the picture

    def compose(self) -> ComposeResult:
        with Container(id="body"):
            with Vertical(id="left"):
                yield EntryPicker(id="models")
                yield EntryPicker(id="datasets")
            with Vertical(id="middle"):
                yield ConfigForm(id="form")
                yield Static(id="hint", markup=False)
            yield PlanSummary(id="summary")
        yield Footer()

    def on_mount(self) -> None:
        self._models.border_title = "Generator"
        self._datasets.border_title = "Data"
        self._form.border_title = "Settings"
        self._summary.border_title = "New run"
        self._models.focus()
        self.action_reread()

    def on_resize(self, event: events.Resize) -> None:
        self._summary.brief = event.size.width < CAPTIONS_WIDTH
        roomy = event.size.width >= CAPTIONS_WIDTH and event.size.height >= CAPTIONS_HEIGHT
        self._models.captions = self._datasets.captions = roomy

    def on_unmount(self) -> None:
        self._planner.close()

    @property
    def _models(self) -> EntryPicker:
        return self.query_one("#models", EntryPicker)

    @property
    def _datasets(self) -> EntryPicker:
        return self.query_one("#datasets", EntryPicker)

    @property
    def _form(self) -> ConfigForm:
        return self.query_one("#form", ConfigForm)

    @property
    def _summary(self) -> PlanSummary:
        return self.query_one("#summary", PlanSummary)

    # ------------------------------------------------------------------ the catalogue

    def action_reread(self) -> None:
        self._problem = READING
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
        self._catalogue = message.catalogue
        self._problem = f"{message.error}; ctrl+r tries again" if message.error else ""
        picked = self._models.picked
        self._models.show(model_entries(message.catalogue.models), picked.name if picked else "")
        if self._model is None and not message.error:
            self._problem = "no generator can be imported; their errors are in the list"
        self._show_model()

    @property
    def _model(self) -> ModelInfo | None:
        picked = self._models.picked
        return next((m for m in self._catalogue.models if picked and m.name == picked.name), None)

    @property
    def _dataset(self) -> DatasetInfo | None:
        picked = self._datasets.picked
        return next((d for d in self._catalogue.datasets if picked and d.name == picked.name), None)

    # ------------------------------------------------------------------ picking

    def _show_model(self) -> None:
        model = self._model
        if model is None:
            self._tell()
            return
        entries = dataset_entries(self._catalogue.datasets, model.modality)
        wanted = self._chosen_data.get(model.modality, model.default_dataset)
        self._datasets.show(entries, wanted)
        self._show_form(model)

    def _show_form(self, model: ModelInfo) -> None:
        self._form.border_title = Content(f"Settings of {visible(model.name)}")
        self._form.show(draft.sections(model, self._dataset, self._catalogue.devices))

    @on(EntryPicker.Picked, "#models")
    def _pick_model(self) -> None:
        self._plan = None
        self._show_model()

    @on(EntryPicker.Picked, "#datasets")
    def _pick_dataset(self, message: EntryPicker.Picked) -> None:
        if self._model is not None:
            self._chosen_data[self._model.modality] = message.entry.name
            self._plan = None
            self._show_form(self._model)

    @on(EntryPicker.Left)
    def _leave_picker(self, message: EntryPicker.Left) -> None:
        dataset = self._dataset
        if self.focused is self._models:
            self._datasets.focus()
        elif dataset is not None and dataset.needs_path:
            self._form.go_to(f"{draft.PATH}{dataset.name}", "path")
        else:
            self._form.focus()

    # ------------------------------------------------------------------ what it means

    @property
    def draft(self) -> Draft | None:
        """What is asked for; None while there is no model, no data or a field is wrong."""
        model, dataset = self._model, self._dataset
        if model is None or dataset is None or self._form.errors():
            return None
        return draft.draft(model.name, dataset, self._form.values(), self._form.changes())

    @on(ConfigForm.Changed)
    def _ask_soon(self) -> None:
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(self.DEBOUNCE, self._ask) if self.DEBOUNCE else None
        self._tell()
        if self._later is None:
            self._ask()

    def _ask(self) -> None:
        """Puts the question of the moment; one at a time, the next one when that is answered."""
        drafted = self.draft
        request = drafted.request() if drafted else None
        if request is None or self._asking is not None or request == self._planned:
            return
        self._asking = request
        self._ask_planner(request)

    @work(thread=True, group="plan")
    def _ask_planner(self, request: PlanRequest) -> None:
        try:
            plan = self._planner.plan(request)
        except RuntimeError as error:
            plan = Plan(error=str(error))
        self.post_message(self.Planned(request, plan))

    @on(Planned)
    def _take_plan(self, message: Planned) -> None:
        self._asking = None
        self._planned, self._plan = message.request, message.plan
        self._tell()
        self._ask()

    def _tell(self) -> None:
        """Brings the summary up to date."""
        model, drafted, values = self._model, self.draft, self._form.values()
        name = model.name if model else ""
        request = drafted.request() if drafted else None
        self._summary.outlook = Outlook(
            title=name,
            caption=model.caption if model else "",
            plan=self._plan,
            pending=request is not None and request != self._planned,
            steps=draft.number_of(values, name, "steps") if drafted else 0,
            batch=draft.number_of(values, name, "batch_size") if drafted else 0,
            words=tuple(drafted.words()) if drafted else (),
            problem=self._problem or self._wrong(),
        )

    def _wrong(self) -> str:
        """The first thing that is in the way."""
        if self._model is not None and self._dataset is None:
            return f"there is no data set of {self._model.modality} that works"
        return next(iter(self._form.errors().values()), "")
