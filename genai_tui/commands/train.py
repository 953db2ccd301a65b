"""``train`` and ``demo``: create a run, start it, and show how it goes."""

import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from genai_tui import lineage, sharing
from genai_tui import sweep as sweeps
from genai_tui.command_line import in_store
from genai_tui.commands import completion
from genai_tui.commands.attend import attend, described, how_to_come_back
from genai_tui.commands.options import AsJson, globals_of, store_of
from genai_tui.commands.output import busy, document, say, tell
from genai_tui.commands.share import say_shared
from genai_tui.commands.studio import graphics_of, has_terminal, open_studio
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run, Store
from genai_tui.visible import visible

if TYPE_CHECKING:
    from genai_tui.launch import Planner

DEMO_STEPS = 500
AT_ONCE = {"precision": "float32", "threads": "1"}
"""What a training would otherwise measure for some seconds before its first step."""

Steps = Annotated[
    int | None, typer.Option(min=1, help="Optimizer steps to train.", show_default=False)
]


def train(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A generator, such as vae/conv; see: genai-tui models.",
            autocompletion=completion.models,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="A data set or a path of yours; else the one the model is made for.",
            autocompletion=completion.datasets,
            show_default=False,
        ),
    ] = None,
    steps: Steps = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KNOB=VALUE",
            help="A knob of the model, the data or the training loop. Repeat it for several.",
            autocompletion=completion.knobs,
        ),
    ] = None,
    begin_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN[@STEP]|FILE",
            help="Begin with the weights of another run or of a safetensors file, as far as "
            "they fit.",
            autocompletion=completion.runs,
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the run.")] = "",
    seed: Annotated[
        int, typer.Option(min=0, max=sweeps.LARGEST_SEED, help="Fixes all randomness of the run.")
    ] = 0,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda:0 ...", autocompletion=completion.devices)
    ] = "auto",
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KNOB=VALUE,VALUE",
            help="One queued run for each value; repeat it for every combination. Also: seed.",
            autocompletion=completion.knobs,
        ),
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait until a GPU is free; without any, the CPU.")
    ] = False,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="A group of this machine whose users may watch it, by name or number.",
            show_default=False,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Give the prompt back once it trains.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a generator.

    The training belongs to no terminal. Its progress is shown until it ends;
    Ctrl-C leaves it alone and says how to come back.
    """
    asked = settings_of(settings or [], steps)
    group = None if share is None else sharing.group_of(share)
    if data is not None and not data.strip():  # most often a shell variable that is not set
        raise UserError("--data is empty: give a data set's name or a path", status=MISUSE)
    store = store_of(context)
    wish = Wish(
        model=model,
        dataset=data or "",
        settings=asked,
        name=name,
        seed=seed,
        device=device,
        origin=lineage.origin(store, begin_from) if begin_from is not None else None,
        group=group,
    )
    if sweep:
        sweep_through(store, wish, sweep, as_json)
        return
    run = begin(store, wish, queue=queue)
    if group is not None and not as_json:
        say_shared(run)
    if not detach:
        attend(run, as_json)
    elif as_json:
        document(described(run))
    else:
        say(how_to_come_back(run))


def demo(
    context: typer.Context,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps to train.")] = DEMO_STEPS,
    no_tui: Annotated[
        bool, typer.Option("--no-tui", help="Plain progress lines instead of the studio.")
    ] = False,
) -> None:
    """Train a small VAE on embedded pictures of clothes and watch it.

    Opens the studio on the run; without a terminal it trains to the end and
    prints plain lines.
    """
    plain, chosen = no_tui or not has_terminal(), globals_of(context)
    if not plain:
        graphics_of(chosen.graphics)  # refused before anything is started
    settings = {"steps": str(steps), "log_every": "5", "sample_every": "50", **AT_ONCE}
    run = begin(
        store_of(context), Wish(model="vae/conv", dataset="fashion-mini", settings=settings)
    )
    if plain:
        attend(run, as_json=False)
    else:
        folder, spare = str(run.path.parent), chosen.low_bandwidth
        open_studio(folder, chosen.graphics, run, low_bandwidth=spare)


def settings_of(words: Sequence[str], steps: int | None) -> dict[str, str]:
    """The knobs of ``--set KNOB=VALUE`` and ``--steps``.

    Raises:
        UserError: a word is no assignment, or a knob is set twice.
    """
    found: dict[str, str] = {} if steps is None else {"steps": str(steps)}
    for word in words:
        knob, equals, value = word.partition("=")
        knob = knob.strip()
        if not equals or not knob:
            sentence = f"--set takes KNOB=VALUE, as in --set lr=1e-3, not {word!r}"
            raise UserError(sentence, status=MISUSE)
        if knob in found:
            raise UserError(f"{knob} is set twice: say it once", status=MISUSE)
        found[knob] = value.strip()
    return found


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants trained; see :func:`genai_tui.launch.create`."""

    model: str
    dataset: str
    settings: Mapping[str, str]
    name: str = ""
    seed: int = 0
    device: str = "auto"
    origin: lineage.Origin | None = None
    group: int | None = None


def begin(store: Store, wish: Wish, *, queue: bool = False) -> Run:
    """Creates and starts a run, or lets it stand in the queue.

    Raises:
        LaunchError, RunError: it cannot be what was asked for, or cannot be started.
    """
    from genai_tui import launch

    with busy("a worker looks at the model and the data"):
        run = _created(store, wish, None)
    with _uninterrupted():
        launch.start(run, queue=queue)
    return run


def sweep_through(store: Store, wish: Wish, words: Sequence[str], as_json: bool) -> None:
    """Creates a queued run for every combination of values, and says how they are found.

    Raises:
        UserError: one of them cannot be what was asked for; then there is none.
    """
    from genai_tui import launch

    variants = sweeps.variants(
        words, model=wish.model, settings=wish.settings, name=wish.name, seed=wish.seed
    )
    planner = launch.Planner()
    try:
        with busy(f"a worker looks at {len(variants)} runs"):
            tag, made = sweeps.create(
                variants, lambda one: _created(store, _varied(wish, one), planner)
            )
    finally:
        planner.close()
    with _uninterrupted():
        sweeps.queue(made, partial(launch.start, queue=True))
    if as_json:
        document([{**described(run), "tags": [tag]} for run in made])
        return
    for run in made:
        say(f"{run.label} is queued")
    seen = in_store(f"genai-tui runs --filter tag:{tag}", store.root)
    say(f"  see them  {visible(seen)}")


def _varied(wish: Wish, one: sweeps.Variant) -> Wish:
    """One run of a sweep."""
    return replace(wish, settings=one.settings, name=one.name, seed=one.seed)


def _created(store: Store, wish: Wish, planner: "Planner | None") -> Run:
    from genai_tui import launch

    return launch.create(
        store,
        model=wish.model,
        dataset=wish.dataset,
        settings=wish.settings,
        name=wish.name,
        seed=wish.seed,
        device=wish.device,
        planner=planner,
        begin=wish.origin,
        group=wish.group,
    )


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Keeps a Ctrl-C until the run has been started, so that none is left half begun."""
    came: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        tell("interrupted; the run has been started and trains on")
        raise KeyboardInterrupt
