"""``sample``: draws from a checkpoint of a run into a folder, beside any training."""

import difflib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backends.records import SampleRequest
from genai_tui import sample_files
from genai_tui.classes import classes_of
from genai_tui.commands.options import AsJson, RunName, run_of
from genai_tui.commands.output import busy, document, say
from genai_tui.errors import MISUSE, UserError
from genai_tui.store import Run
from genai_tui.visible import visible

LARGEST_SEED = 2**32 - 1
TEXT_LENGTH = 2000
"""Characters of the first text that are printed."""


def sample(
    context: typer.Context,
    run: RunName,
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="The folder to make.", show_default=False)
    ],
    count: Annotated[
        int | None,
        typer.Option(min=1, max=65536, help="How many; else as many as in training."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another draws others.")] = 0,
    step: Annotated[
        int | None, typer.Option(min=0, help="Of which checkpoint; else the newest.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A class, by name or index. Repeat it for several.", show_default=False),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Text to go on from.")] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Tokens of each text.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="Below 1: safer and less varied.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Choose among this many likeliest tokens.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Choose among the likeliest tokens of this share."),
    ] = None,
    beams: Annotated[
        int | None, typer.Option(min=1, max=64, help="Hypotheses of a beam search; 1 is greedy.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(help="How strongly the class or prompt guides; 1 is no guidance."),
    ] = None,
    sampler_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the sampler.")] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Towards the average latent: 0 is all the way, 1 is none.")
    ] = None,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Walk from one latent to another.")
    ] = False,
    around: Annotated[
        int | None,
        typer.Option(min=0, help="Draw neighbours of this sample of the same count and seed."),
    ] = None,
    spread: Annotated[
        float | None, typer.Option(min=0, max=1, help="How far neighbours go; 1 is anywhere.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="A picture to start from or to enlarge.", show_default=False
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A picture that is white where --image is to be filled in.",
            show_default=False,
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How much of --image is replaced; 1 is all of it."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace samples that are in PATH already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draw from a checkpoint.

    A worker of its own does it, so that a training goes on undisturbed.
    A model refuses what it cannot be asked for: see genai-tui models.
    """
    found = run_of(context, run)
    chosen = checkpoint_of(found, step)
    _check_out(out, force)
    request = SampleRequest(
        count=count or int(found.spec().train_config.get("sample_count") or 64),
        seed=seed,
        labels=labels_of(label, classes_of(found, chosen)) if label else None,
        prompt=prompt,
        length=length,
        temperature=_finite("--temperature", temperature),
        top_k=top_k,
        top_p=top_p,
        beams=beams,
        steps=sampler_steps,
        guidance=_finite("--guidance", guidance),
        truncation=_finite("--truncation", truncation),
        interpolate=interpolate or None,
        around=around,
        spread=_finite("--spread", spread),
        image=None if image is None else str(image.absolute()),
        mask=None if mask is None else str(mask.absolute()),
        strength=_finite("--strength", strength),
    )
    _draw(found, request, out, chosen, as_json)


def _draw(run: Run, request: SampleRequest, out: Path, step: int, as_json: bool) -> None:
    from genai_tui import launch

    with busy(f"a worker draws from step {step:,}"):
        drawn = launch.sample(run, request, out, step)
    if as_json:
        document({"id": run.id, "name": run.name, **drawn, "request": request})
        return
    files = sample_files.find(out.absolute(), ".")
    if files.texts:
        text = sample_files.read_text(files.texts[0])
        say(visible(text, lines=True, limit=TEXT_LENGTH) + "\n")
    where = visible(str(files.grid or out.absolute()))
    say(f"{drawn['count']} samples of step {drawn['step']:,} are in {where}")


# --------------------------------------------------------------------------- what was asked


def labels_of(words: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Class indices of names or indices; a name goes first, as digits may have names.

    Raises:
        UserError: there is no such class.
    """
    names = [name.casefold() for name in classes]
    return [_label(word, names, classes) for word in words]


def _label(word: str, names: Sequence[str], classes: Sequence[str]) -> int:
    if not classes:
        raise UserError("this run has no classes: it cannot be asked for a label", status=MISUSE)
    if word.casefold() in names:
        return names.index(word.casefold())
    if word.isascii() and word.isdecimal() and int(word) < len(classes):
        return int(word)
    near = difflib.get_close_matches(word, classes, n=3, cutoff=0.4) or classes[:20]
    last = len(classes) - 1
    sentence = (
        f"there is no class {word!r}; there is {', '.join(near)} or an index from 0 to {last}"
    )
    raise UserError(sentence, status=MISUSE)


def checkpoint_of(run: Run, step: int | None) -> int:
    """The step of a checkpoint that is there; the newest if None.

    Raises:
        UserError: there is none.
    """
    there = run.checkpoint_steps()
    if not there:
        sentence = f"run {run.label} has no checkpoint yet: wait for the first one"
        raise UserError(sentence, status=MISUSE)
    if step is None:
        return there[-1]
    if step not in there:
        known = ", ".join(f"{one:,}" for one in there)
        sentence = f"run {run.label} has no checkpoint at step {step:,}; there are {known}"
        raise UserError(sentence, status=MISUSE)
    return step


def _check_out(out: Path, force: bool) -> None:
    """Lets pass a folder that can be made, is empty, or holds samples that may be replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file: give --out a folder", status=MISUSE)
    if not any(out.iterdir()):
        return
    if not force:
        sentence = f"{out} is not empty: choose another folder, or replace its samples with --force"
        raise UserError(sentence, status=MISUSE)
    if not (out / "request.json").is_file():
        sentence = f"{out} holds something else than samples: it is not replaced"
        raise UserError(sentence, status=MISUSE)


def _finite(option: str, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise UserError(f"{option} must be a finite number, not {value}", status=MISUSE)
    return value
