"""A host for the New run screen: services that answer at once from a made-up catalogue."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Static

from backends.knob import LABELS, Knob
from backends.records import Catalogue, DatasetInfo, Device, ModelInfo, Plan, PlanRequest
from genai_tui.lineage import Fork
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.services import Services
from genai_tui.settings import runs_dir
from genai_tui.store import Run, Store
from genai_tui.widgets.config_form import ConfigForm
from genai_tui.widgets.entry_picker import EntryPicker
from genai_tui.widgets.plan_summary import PlanSummary

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/] [/]"


def number(name: str, default: float, low: float, high: float, help: str, unit: str = "") -> Knob:
    kind = "int" if isinstance(default, int) else "float"
    return Knob(name=name, kind=kind, default=default, low=low, high=high, help=help, unit=unit)


def choice(name: str, help: str, *choices: str) -> Knob:
    return Knob(name=name, kind="choice", default=choices[0], choices=list(choices), help=help)


def switch(name: str, help: str, default: bool) -> Knob:
    return Knob(name=name, kind="bool", default=default, help=help)


def loop(**recipe: Any) -> list[Knob]:
    """Knobs of a loop with a model's own defaults."""
    made = [
        number("steps", 2000, 1, 10**9, "optimizer steps to train", "steps"),
        number("batch_size", 64, 1, 65536, "items a step", "items"),
        number("lr", 1e-3, 0, 10, "learning rate"),
        choice("optimizer", "the optimizer", "adamw", "adam"),
        number("beta1", 0.9, 0, 0.9999, "decay of the gradient's running mean"),
        number("beta2", 0.99, 0, 0.99999, "decay of the squared gradient's mean"),
        number("weight_decay", 0.0, 0, 1, "decoupled weight decay (adamw)"),
        number("warmup_steps", 50, 0, 10**8, "steps of linear warm-up of lr", "steps"),
        choice("schedule", "how lr falls to lr_final", "cosine", "linear", "constant"),
        number("lr_final", 0.05, 0, 1, "lr at the end as a share of lr"),
        number("clip_grad", 1.0, 0, 1e9, "limit of the gradient's global norm; 0 is none"),
        number("ema_half_life", 200.0, 0, 1e9, "half-life of the averaged weights", "steps"),
        number("log_every", 10, 1, 10**6, "steps between logged points", "steps"),
        number("validate_every", 200, 0, 10**9, "steps between validations", "steps"),
        number("validate_batches", 8, 1, 10**6, "batches a validation"),
        number("sample_every", 200, 0, 10**9, "steps between samples; 0 is never", "steps"),
        number("sample_count", 64, 1, 1024, "samples drawn each time"),
        number("checkpoint_every", 500, 0, 10**9, "steps between checkpoints", "steps"),
        number("checkpoint_minutes", 10.0, 0, 10**6, "minutes between checkpoints", "min"),
        number("keep_checkpoints", 3, 1, 10**6, "newest checkpoints that are kept"),
        choice("precision", "arithmetic of the networks", "auto", "float32", "bfloat16"),
        switch("compile", "torch.compile the networks", False),
        number("threads", 0, 0, 1024, "CPU threads; 0 is one a core"),
        choice("nan_policy", "what a loss that is not finite does", "stop", "warn"),
        number("validation", 0.1, 0.001, 0.5, "share of the data held out"),
    ]
    return [
        msgspec.structs.replace(knob, default=recipe.get(knob.name, knob.default)) for knob in made
    ]


VAE = ModelInfo(
    name="vae/conv",
    family="vae",
    caption="Convolutional VAE: encodes pictures into a small Gaussian latent space",
    knobs=[
        number("latent", 32, 2, 512, "dimensions of the latent space"),
        number("width", 16, 4, 256, "channels at full resolution; doubled with each halving"),
        choice("likelihood", "p(x|z): bernoulli per pixel, or logistic", "bernoulli", "logistic"),
        number("beta", 1.0, 0, 100, "weight of the KL term; 1 is the bound itself"),
        msgspec.structs.replace(
            switch("conditional", "condition on the class where the data has labels", True),
            only={LABELS: []},
        ),
    ],
    train_knobs=loop(lr=2e-3, steps=600, clip_grad=0.0),
    default_dataset="fashion-mini",
)
GAN = ModelInfo(
    name="gan/dcgan",
    family="gan",
    caption="DCGAN: transposed convolutions, with a relativistic loss or the published one",
    knobs=[
        number("latent", 100, 2, 512, "dimensions of the latent space"),
        choice("loss", "the two players' game", "relativistic", "non_saturating"),
        number("gamma", 0.1, 0, 100, "weight of the gradient penalties R1 and R2"),
    ],
    train_knobs=loop(steps=3000, lr=2e-4, beta1=0.5),
    default_dataset="fashion-mini",
)
GPT = ModelInfo(
    name="autoregressive/gpt",
    family="autoregressive",
    caption="GPT: decoder-only Transformer with rotary positions, on characters or bytes",
    modality="text",
    learns="text",
    knobs=[number("layers", 4, 1, 64, "Transformer blocks")],
    train_knobs=loop(batch_size=32),
    default_dataset="shakespeare-mini",
)
FLOW = ModelInfo(
    name="diffusion/rectified_flow",
    family="diffusion",
    caption="Rectified flow: a U-Net learns the straight way from noise to pictures",
    knobs=[number("width", 32, 8, 512, "channels at full resolution")],
    train_knobs=loop(),
    default_dataset="fashion-mini",
)
BROKEN = ModelInfo(
    name="diffusion/mine",
    family="diffusion",
    error=f"the model diffusion/mine cannot be imported: No module named 'einops' {HOSTILE}",
)

FLIP = switch("flip", "mirror half of the training pictures, others each epoch", False)
DATASETS = [
    DatasetInfo(name="fashion-mini", caption="2,000 pictures of clothes, 28 x 28", embedded=True),
    DatasetInfo(name="fashion-mnist", caption="Fashion-MNIST, 60,000 pictures", knobs=[FLIP]),
    DatasetInfo(
        name="image-folder",
        caption="A folder of pictures of your own, of any format and size",
        needs_path=True,
        knobs=[number("size", 32, 8, 512, "height and width", "px"), FLIP],
    ),
    DatasetInfo(name="shakespeare-mini", caption="Shakespeare", modality="text", embedded=True),
    DatasetInfo(name="text-file", caption="Text of your own", modality="text", needs_path=True),
]
CATALOGUE = Catalogue(
    models=[GAN, VAE, GPT, FLOW, BROKEN],
    datasets=DATASETS,
    devices=[Device(name="cpu", caption="2 cores"), Device(name="cuda:0", caption="NVIDIA H100")],
)


class FakePlanner:
    """Counts from the settings alone, and remembers what it was asked."""

    def __init__(self, answer: Callable[[PlanRequest], Plan] | None = None) -> None:
        self.asked: list[PlanRequest] = []
        self.closed = False
        self.answer = answer or counted

    def plan(self, request: PlanRequest) -> Plan:
        self.asked.append(request)
        return self.answer(request)

    def close(self) -> None:
        self.closed = True


def counted(request: PlanRequest) -> Plan:
    return Plan(
        dataset=request.dataset,
        parameters=10_000 * int(request.settings.get("latent", 32)),
        trained={"G": 1_234_567, "D": 765_432} if request.model.startswith("gan") else {},
        items=1800,
        validation_items=200,
        classes=10,
        shape="1 x 28 x 28",
    )


class FakeHouse:
    """The services, and what was asked of them."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self.planner = FakePlanner()
        self.catalogue = catalogue
        self.created: list[dict[str, Any]] = []
        self.started: list[str] = []
        self.refuse_create = self.refuse_start = self.refuse_catalogue = ""
        self.queued: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def services(self) -> Services:
        return Services(self._read, lambda: self.planner, self._create, self._start)

    def _read(self) -> Catalogue:
        self.gate.wait(10)
        if self.refuse_catalogue:
            raise RuntimeError(self.refuse_catalogue)
        return self.catalogue

    def _create(self, store: Store, **asked: Any) -> Run:
        if self.refuse_create:
            raise RuntimeError(self.refuse_create)
        assert asked.pop("planner") is self.planner
        self.created.append(asked)
        return Run(Path("/nowhere/20260101-000000-vae-conv-abcd"))

    def _start(self, run: Run, *, queue: bool) -> None:
        if self.refuse_start:
            raise RuntimeError(self.refuse_start)
        (self.queued if queue else self.started).append(run.id)


class Prompt(NewRunScreen):
    """Asks the planner without waiting for the next key."""

    DEBOUNCE = 0.001


class Host(App[None]):
    """Opens the screen alone and keeps what it says."""

    def __init__(self, house: FakeHouse | None = None, fork: Fork | None = None) -> None:
        super().__init__()
        self.fork = fork
        self.house = house or FakeHouse()
        self.opened: list[str] = []
        self.cancelled = 0
        self.notices: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(Prompt(Store(runs_dir()), self.house.services(), self.fork))

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)

    def on_new_run_screen_started(self, message: NewRunScreen.Started) -> None:
        self.opened.append(message.run_id)

    def on_new_run_screen_cancelled(self) -> None:
        self.cancelled += 1

    @property
    def form(self) -> ConfigForm:
        return self.screen.query_one(ConfigForm)

    @property
    def models(self) -> EntryPicker:
        return self.screen.query_one("#models", EntryPicker)

    @property
    def datasets(self) -> EntryPicker:
        return self.screen.query_one("#datasets", EntryPicker)

    @property
    def summary(self) -> str:
        """What the summary says, without its line breaks."""
        shown = self.screen.query_one(PlanSummary).query_one(Static).content
        return " ".join(str(shown).replace("\\\n", " ").split())

    def planned(self) -> bool:
        """Whether the summary shows the answer for what is in the form."""
        outlook = self.screen.query_one(PlanSummary).outlook
        return bool(outlook.problem) or (outlook.plan is not None and not outlook.pending)


def strike(app: App[Any], *keys: str) -> None:
    """All keys at once, as a terminal sends what was typed while the line was slow."""
    for key in keys:
        one = len(key) == 1
        app.post_message(events.Key(_character_to_key(key) if one else key, key if one else None))


async def until(pilot: Pilot[None], fact: Callable[[], object], seconds: float = 10) -> None:
    """Lets the app work until ``fact`` holds."""
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, "it never came true"
        await pilot.pause()


async def ready(pilot: Pilot[None]) -> Host:
    """The app with its catalogue read and its first plan shown."""
    host = pilot.app
    assert isinstance(host, Host)
    await until(pilot, lambda: host.models.picked and host.planned())
    return host
