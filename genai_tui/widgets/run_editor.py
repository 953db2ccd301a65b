"""Where a run is thought up: lists of generators and data sets, and the form of their knobs."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from backends.knob import LABELS
from backends.records import Catalogue, DataKind, DatasetInfo, ModelInfo
from genai_tui.lineage import Fork
from genai_tui.visible import visible
from genai_tui.widgets import draft
from genai_tui.widgets.config_form import ConfigForm
from genai_tui.widgets.draft import Draft
from genai_tui.widgets.entry_picker import Entry, EntryPicker


class RunEditor(Horizontal):
    """Turns what is picked and typed into a draft."""

    DEFAULT_CSS = """
    RunEditor {
        & > #lists { width: 30; }
        & #models { height: 1fr; max-height: 100%; }
        & #datasets { height: 40%; max-height: 100%; }
        & #form { height: 1fr; }
        & #hint { height: 3; padding: 0 2; color: $foreground 75%; }
    }
    """

    class Changed(Message):
        """The draft is another now, or became one, or is none any more."""

    def __init__(self, fork: Fork | None = None, *, id: str | None = None) -> None:
        """``fork``: the run with whose generator, data and settings the editor begins."""
        super().__init__(id=id)
        self._fork = fork
        self._catalogue = Catalogue()
        self._chosen: dict[DataKind, str] = {}  # data sets that the user picked
        self._labels: dict[str, int] = {}  # of data that was read

    def compose(self) -> ComposeResult:
        with Vertical(id="lists"):
            yield EntryPicker(id="models")
            yield EntryPicker(id="datasets")
        with Vertical():
            yield ConfigForm(id="form")
            yield Static(id="hint", markup=False)

    def on_mount(self) -> None:
        self.models.border_title = "generator"
        self.datasets.border_title = "data"
        self.form.border_title = "settings"

    @property
    def models(self) -> EntryPicker:
        return self.query_one("#models", EntryPicker)

    @property
    def datasets(self) -> EntryPicker:
        return self.query_one("#datasets", EntryPicker)

    @property
    def form(self) -> ConfigForm:
        return self.query_one("#form", ConfigForm)

    def tell_captions(self, wanted: bool) -> None:
        """Whether the lists say what each entry is; it takes room."""
        self.models.captions = self.datasets.captions = wanted

    # ------------------------------------------------------------------ what it holds

    def show(self, catalogue: Catalogue) -> None:
        """Offers what is in ``catalogue``; what was picked and typed stays where it still fits."""
        self._catalogue = catalogue
        picked = self.models.picked
        wanted = picked.name if picked else self._fork.spec.model if self._fork else ""
        self.models.show(model_entries(catalogue.models), wanted)
        if self._fork is not None and picked is None:
            self._choose_forked_data(self._fork)
        self._show_model()

    def learn(self, source: str, classes: int) -> None:
        """Takes how many classes some data has; knobs of labels go with the labels."""
        self._labels[source] = classes
        self._tell_labels()

    def _tell_labels(self) -> None:
        picked = self.dataset
        known = self._labels.get(draft.source(picked, self.form.values())) if picked else None
        self.form.learn({} if known is None else {LABELS: known})

    def _choose_forked_data(self, fork: Fork) -> None:
        model = self.model
        if model is not None and model.name == fork.spec.model:
            learns = model.learns
            self._chosen[learns] = draft.forked_data(self._catalogue.datasets, learns, fork)

    @property
    def model(self) -> ModelInfo | None:
        """The generator that is picked."""
        entry = self.models.picked
        return next((m for m in self._catalogue.models if entry and m.name == entry.name), None)

    @property
    def dataset(self) -> DatasetInfo | None:
        """The data set, or kind of data, that is picked."""
        entry = self.datasets.picked
        return next((d for d in self._catalogue.datasets if entry and d.name == entry.name), None)

    @property
    def draft(self) -> Draft | None:
        """What is asked for; None while :attr:`problem` says what is in the way."""
        if self.model is None or self.dataset is None or self.form.errors():
            return None
        values, changes = self.form.values(), self.form.changes()
        swept = self.form.swept()
        return draft.draft(self.model, self.dataset, values, changes, self._fork, swept)

    @property
    def problem(self) -> str:
        """The first thing that is in the way of a draft, as a sentence; empty if nothing is."""
        if self.model is None:
            return "no generator can be used: the list says why" if self._catalogue.models else ""
        if self.dataset is None:
            return f"there is no data set of the kind {self.model.learns}"
        return next(iter(self.form.errors().values()), "")

    def go_to_problem(self) -> None:
        """Focuses what :attr:`problem` is about."""
        wrong = next(iter(self.form.errors()), None)
        if self.model is None or self.dataset is None:
            (self.models if self.model is None else self.datasets).focus()
        elif wrong is not None:
            self.form.go_to(*wrong)

    # ------------------------------------------------------------------ picking

    @on(EntryPicker.Picked, "#models")
    def _show_model(self) -> None:
        model = self.model
        if model is not None:
            entries = dataset_entries(self._catalogue.datasets, model.learns)
            self.datasets.show(entries, self._chosen.get(model.learns, model.default_dataset))
        self._show_form()

    @on(EntryPicker.Picked, "#datasets")
    def _choose_dataset(self, message: EntryPicker.Picked) -> None:
        if self.model is not None and message.entry is not None:
            self._chosen[self.model.learns] = message.entry.name
        self._show_form()

    def _show_form(self) -> None:
        model, devices = self.model, self._catalogue.devices
        if model is None:
            self.post_message(self.Changed())
            return
        self.form.border_title = Content(f"settings · {visible(model.name)}")
        self.form.show(draft.sections(model, self.dataset, devices, self._fork))
        self._tell_labels()

    @on(EntryPicker.Left)
    def _leave(self, message: EntryPicker.Left) -> None:
        if message.picker is self.models:
            self.datasets.focus()
        elif self.dataset is not None and self.dataset.needs_path:
            self.form.go_to(*draft.path_key(self.dataset))
        else:
            self.form.focus()

    # ------------------------------------------------------------------ telling

    @on(ConfigForm.Changed)
    def _say_changed(self, message: ConfigForm.Changed) -> None:
        message.stop()
        self._tell_labels()
        self.post_message(self.Changed())

    @on(ConfigForm.Moved)
    @on(EntryPicker.Picked)
    @on(EntryPicker.Entered)
    def _tell_hint(self) -> None:
        """Says what the cursor is on in the panel that has the focus, if that panel does not."""
        self.query_one("#hint", Static).update(Content(visible(self._hint())), layout=False)

    def _hint(self) -> str:
        for picker in (self.models, self.datasets):
            if picker.has_focus:
                entry = None if picker.captions else picker.picked
                return entry.caption if entry else ""
        field = self.form.field
        return field.about() if field else ""


def model_entries(models: Sequence[ModelInfo]) -> list[Entry]:
    """Generators by family, the families in the order in which they first come."""
    families = list(dict.fromkeys(model.family for model in models))
    ordered = sorted(models, key=lambda model: families.index(model.family))
    return [
        Entry(
            name=model.name,
            label=model.name.removeprefix(f"{model.family}/"),
            group=model.family or "other",
            tag=model.modality,
            caption=model.caption,
            error=model.error,
        )
        for model in ordered
    ]


def dataset_entries(datasets: Sequence[DatasetInfo], kind: DataKind) -> list[Entry]:
    """Data of a kind: built in, then known sets, then the user's own, then broken."""
    fitting = [data for data in datasets if data.error or data.modality == kind]
    return [
        Entry(
            name=data.name,
            label=data.name,
            tag="path…" if data.needs_path else "built in" if data.embedded else "",
            caption=data.caption,
            error=data.error,
        )
        for data in sorted(fitting, key=lambda d: (bool(d.error), d.needs_path, not d.embedded))
    ]
