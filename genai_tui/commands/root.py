"""The command line as a whole: its verbs, its help, and usage errors as one sentence."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from genai_tui.commands.annotate import archive, note, rename, tag
from genai_tui.commands.catalogue import datasets, models
from genai_tui.commands.compare import compare
from genai_tui.commands.delete import delete
from genai_tui.commands.doctor import doctor
from genai_tui.commands.evaluate import evaluate
from genai_tui.commands.export import export
from genai_tui.commands.gpus import gpus
from genai_tui.commands.importing import import_weights
from genai_tui.commands.listing import runs
from genai_tui.commands.logs import logs
from genai_tui.commands.options import Globals
from genai_tui.commands.orders import checkpoint, pause, resume, set_knob, stop
from genai_tui.commands.sample import sample
from genai_tui.commands.serve import serve
from genai_tui.commands.share import share
from genai_tui.commands.show import show
from genai_tui.commands.studio import GraphicsMode, open_studio
from genai_tui.commands.train import demo, train
from genai_tui.commands.watch import watch
from genai_tui.errors import MISUSE, UserError

PROGRAM = "genai-tui"
TRAIN, LOOK, STEER, DRAW = "Train", "Look", "Steer a training", "Use and tidy up"

EPILOG = """\
[bold]Examples[/]
  genai-tui demo                          a first training, in a minute or two
  genai-tui train gan/dcgan --detach      start it and get the prompt back
  genai-tui train vae/conv --data ~/photos --set width=32 --steps 5000
  genai-tui watch latest                  the studio on the newest run
  genai-tui --host ada@gpubox             the studio of another machine, over ssh
  genai-tui sample latest --label Sneaker --out sneakers
  genai-tui runs --json | jq '.[] | select(.state == "running") | .name'

[bold]RUN[/] is the id of a run, a unique beginning of it, its name, or: latest.
A training belongs to no terminal: it goes on when this one is closed, and
genai-tui shows it again. --runs, --graphics, --host and --low-bandwidth may
stand after the verb, too.

[bold]Exit status[/]
  0    done
  1    failed: the training, the worker or the disk
  2    wrong use: an unknown model, data set, knob, run or option, a value out
       of its bounds, a run in the wrong state
  130  interrupted
  141  the reader of the output has gone

[bold]Environment[/]
  GENAI_TUI_RUNS      the folder of the runs; --runs goes before it
  GENAI_TUI_GRAPHICS  how pictures are drawn; --graphics goes before it
  GENAI_TUI_SETTINGS  the file of the settings, in TOML
  GENAI_TUI_CACHE     what can be made again: the catalogue, downloaded data\
"""

MORE = f"\nExit status, RUN and environment: {PROGRAM} --help"

app = typer.Typer(
    name=PROGRAM,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=EPILOG)
def studio(
    context: typer.Context,
    runs: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The folder of the runs.", show_default=False),
    ] = None,
    graphics: Annotated[
        GraphicsMode | None,
        typer.Option(help="How the studio draws pictures.", show_default=False),
    ] = None,
    low_bandwidth: Annotated[
        bool,
        typer.Option(
            "--low-bandwidth",
            help="For slow lines: one frame a second at most, pictures on demand.",
        ),
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="USER@HOST",
            help="Do all this on another machine, over ssh.",
            show_default=False,
        ),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Train generative models in the terminal: pick one, train it detached, watch it live.

    Without a verb the studio opens: all runs, the GPUs, the newest samples, and
    a form for the next run.
    """
    del host  # the command line has gone there before it comes here
    context.obj = Globals(runs, graphics, low_bandwidth)
    if context.invoked_subcommand is None:
        open_studio(runs, graphics, low_bandwidth=low_bandwidth)


def _add(
    verb: Callable[..., None], panel: str, *examples: str, name: str = "", dashes: bool = False
) -> None:
    """Adds a verb; with ``dashes`` what comes after its first word may begin with one."""
    shown = "\n".join(["[bold]Examples[/]", *(f"  {PROGRAM} {one}" for one in examples), MORE])
    settings = {"allow_interspersed_args": False} if dashes else None
    app.command(
        name or verb.__name__,
        help=_in_paragraphs(verb.__doc__ or ""),
        rich_help_panel=panel,
        epilog=shown,
        context_settings=settings,
    )(verb)


def _in_paragraphs(text: str) -> str:
    """Without line breaks within paragraphs, which Typer would keep at every width."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).strip()


_add(demo, TRAIN, "demo", "demo --no-tui", "demo --steps 2000")
_add(
    train,
    TRAIN,
    "train vae/conv",
    "train gan/dcgan --data fashion-mnist --name shoes --detach",
    "train autoregressive/gpt --data ~/books --set lr=3e-4 --queue",
    "train vae/conv --sweep lr=1e-3,3e-3 --sweep seed=0,1",
)
_add(models, TRAIN, "models", "models vae/conv", "models --json")
_add(datasets, TRAIN, "datasets", "datasets --json")
_add(
    runs,
    LOOK,
    "runs",
    "runs --filter 'model:gan loss<0.3 -tag:night'",
    "runs --filter 'state:running or created<1d' --json",
    "runs --all --runs /shared/runs",
)
_add(show, LOOK, "show latest", "show conv-k3f9 --json")
_add(compare, LOOK, "compare latest conv-k3f9", "compare first second third --json")
_add(watch, LOOK, "watch", "watch conv-k3f9", "watch /shared/runs/20261122-101530-gan-dcgan-k3f9")
_add(serve, LOOK, "serve", "serve --port 0", "serve --low-bandwidth")
_add(logs, LOOK, "logs latest", "logs conv-k3f9 --follow")
_add(doctor, LOOK, "doctor", "doctor --json | jq '.[] | select(.verdict != \"ok\")'")
_add(gpus, LOOK, "gpus", "gpus --json | jq '.[] | select(.utilisation < 5) | .index'")
_add(pause, STEER, "pause conv-k3f9")
_add(
    resume,
    STEER,
    "resume conv-k3f9",
    "resume latest --steps 20000",
    "resume --interrupted    # all of them, after a reboot",
)
_add(checkpoint, STEER, "checkpoint latest")
_add(set_knob, STEER, "set latest lr=1e-4", "set conv-k3f9 sample_every=100", name="set")
_add(stop, STEER, "stop latest", "stop conv-k3f9 --no-wait")
_add(
    sample,
    DRAW,
    "sample latest --out drawn",
    "sample latest --label Sneaker --label 3 --count 16 --out shoes",
    'sample latest --prompt "ROMEO:" --length 400 --out text',
)
_add(
    evaluate,
    DRAW,
    "evaluate latest",
    "evaluate conv-k3f9 --step 2000 --count 500",
    "evaluate latest --json | jq '.scores[] | {metric, value}'",
)
_add(tag, DRAW, "tag latest +night +best", "tag conv-k3f9 -night", "tag latest", dashes=True)
_add(note, DRAW, "note latest 'wider, and twice the steps'", "note latest")
_add(rename, DRAW, "rename conv-k3f9 shoes", "rename shoes ''")
_add(archive, DRAW, "archive conv-k3f9 shoes", "archive shoes --undo")
_add(
    export,
    DRAW,
    "export latest --out pictures",
    "export latest --what gif --tile 3 --out progress.gif",
    "export shakespeare --step 500 --what jsonl --out texts.jsonl",
)
_add(
    import_weights,
    DRAW,
    "import model.pt",
    "import last.ckpt --part state_dict --to vae.safetensors",
    "train vae/conv --from vae.safetensors",
    name="import",
)
_add(share, DRAW, "share conv-k3f9", "share conv-k3f9 --group lab", "share conv-k3f9 --undo")
_add(delete, DRAW, "delete conv-k3f9", "delete conv-k3f9 --yes")


def run_verb(words: list[str]) -> int:
    """Runs the verb that ``words`` name; its exit status.

    Raises:
        UserError: the words are no command, in one sentence.
    """
    try:
        status: Any = typer.main.get_command(app)(
            args=words, prog_name=PROGRAM, standalone_mode=False
        )
    except typer.TyperException as error:
        raise UserError(_sentence(error), status=MISUSE) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0


def _sentence(error: typer.TyperException) -> str:
    said = " ".join(error.format_message().split()).rstrip(".")
    said = (said[:1].lower() + said[1:]).replace(". Did", "; did").replace(": Input", ": input")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    return f"{said}; see {path} --help"
