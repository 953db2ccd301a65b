"""``models`` and ``datasets``: what can be picked on this machine, with every knob."""

import difflib
from collections.abc import Sequence
from typing import Annotated

import typer

from backends.knob import Knob
from backends.records import Catalogue, DatasetInfo, ModelInfo
from genai_tui.commands import completion
from genai_tui.commands.options import AsJson
from genai_tui.commands.output import busy, document, painted, say
from genai_tui.errors import MISUSE, UserError
from genai_tui.visible import visible


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Only this one, with the knobs of the training loop.",
            autocompletion=completion.models,
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every generator with its knobs, their defaults and bounds."""
    found = catalogue().models
    chosen = found if name is None else [_named(found, name)]
    if as_json:
        document(chosen)
        return
    for model in chosen:
        _print_model(model)
    if name is None:
        say("Every model also takes the knobs of the training loop: genai-tui models MODEL")
    elif chosen[0].train_knobs:
        say(painted("the training loop", "1"))
        _print_knobs(chosen[0].train_knobs)


def datasets(as_json: AsJson = False) -> None:
    """List the data sets, and the kinds of folder that can be trained on."""
    found = catalogue().datasets
    if as_json:
        document(found)
        return
    for entry in found:
        _print_dataset(entry)
    say("A path of yours is a data set, too: genai-tui train MODEL --data PATH")


def catalogue() -> Catalogue:
    """Everything that can be picked, told by a worker if it has changed."""
    from genai_tui import launch

    with busy("asking a worker what can be trained here"):
        return launch.catalogue()


def _named(found: Sequence[ModelInfo], name: str) -> ModelInfo:
    for model in found:
        if model.name == name:
            return model
    names = [model.name for model in found]
    near = ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names)
    raise UserError(f"unknown model: {name!r}; did you mean {near}?", status=MISUSE)


def _print_model(model: ModelInfo) -> None:
    say(f"{painted(visible(model.name), '1')}  {_learns(model)}")
    if model.error:
        say(f"  cannot be used: {visible(model.error)}\n")
        return
    say(f"  {visible(model.caption)}")
    say(f"  default data: {visible(model.default_dataset)}")
    if model.asks:
        say(f"  samples can be asked for by: {', '.join(map(_option, model.asks))}")
    _print_knobs(model.knobs)
    say()


def _learns(model: ModelInfo) -> str:
    """ "image", or "captions → image" where samples are of another kind than the data."""
    same = model.learns == model.modality
    return model.modality if same else f"{model.learns} → {model.modality}"


def _option(asked: str) -> str:
    """The option of ``sample`` for a field of a request."""
    names = {"labels": "label", "steps": "sampler-steps"}
    return f"--{names.get(asked, asked).replace('_', '-')}"


def _print_dataset(entry: DatasetInfo) -> None:
    where = "embedded" if entry.embedded else ("give its path" if entry.needs_path else "download")
    say(f"{painted(visible(entry.name), '1')}  {entry.modality}, {where}")
    say(
        f"  cannot be used: {visible(entry.error)}"
        if entry.error
        else f"  {visible(entry.caption)}"
    )
    _print_knobs(entry.knobs)
    say()


def _print_knobs(knobs: Sequence[Knob]) -> None:
    rows = [(f"{knob.name}={_default(knob)}", _allowed(knob), _help(knob)) for knob in knobs]
    first = max((len(row[0]) for row in rows), default=0)
    second = max((len(row[1]) for row in rows), default=0)
    for name, allowed, help_ in rows:
        say(visible(f"    {name:<{first}}  {allowed:<{second}}  {help_}").rstrip())


def _allowed(knob: Knob) -> str:
    return f"{knob.bounds}, or none" if knob.optional else knob.bounds


def _help(knob: Knob) -> str:
    parts = [knob.help, knob.unit, "live" if knob.live else "", knob.condition]
    return " · ".join(part for part in parts if part)


def _default(knob: Knob) -> str:
    if isinstance(knob.default, bool):
        return "yes" if knob.default else "no"
    return f"{knob.default:g}" if isinstance(knob.default, float) else str(knob.default).lower()
