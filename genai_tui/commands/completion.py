"""What the shell may complete: runs, models, data sets, knobs. Nothing is started for it.

A completed word lands on the user's command line, and some shells evaluate it: only words of plain
characters are offered.
"""

import re
from collections.abc import Iterable

import typer

from backends.records import Catalogue

_PLAIN = re.compile(r"[A-Za-z0-9._@%+,=/-]+")

Words = list[tuple[str, str]]


def runs(context: typer.Context, incomplete: str) -> Words:
    """Names of runs, newest first; ids where a name is not plain."""
    from genai_tui import settings
    from genai_tui.store import Store

    parent = context.parent.params if context.parent else {}
    found = Store(settings.runs_dir(parent.get("runs"))).summaries()
    words = [(run.name if _PLAIN.fullmatch(run.name) else run.id, run.state) for run in found]
    words += [(run.id, run.state) for run in found if incomplete]
    return _fitting([*words, ("latest", "the newest run")], incomplete)


def models(incomplete: str) -> Words:
    return _fitting(((model.name, model.caption) for model in _catalogue().models), incomplete)


def datasets(incomplete: str) -> Words:
    """Names of data sets; where none fits the shell goes on to files."""
    return _fitting(((entry.name, entry.caption) for entry in _catalogue().datasets), incomplete)


def devices(incomplete: str) -> Words:
    there = [(device.name, device.caption) for device in _catalogue().devices]
    return _fitting([("auto", "the best there is"), *there], incomplete)


def knobs(context: typer.Context, incomplete: str) -> Words:
    """``name=`` of the knobs of the model that has been typed already."""
    found = (model for model in _catalogue().models if model.name == context.params.get("model"))
    every = [knob for model in found for knob in (*model.knobs, *model.train_knobs)]
    return [
        (f"{knob.name}=", knob.help) for knob in every if f"{knob.name}=".startswith(incomplete)
    ]


def _catalogue() -> Catalogue:
    from genai_tui import launch

    return launch.remembered() or Catalogue()


def _fitting(words: Iterable[tuple[str, str]], incomplete: str) -> Words:
    known = dict(reversed(list(words)))
    fitting = [
        (word, help_) for word, help_ in reversed(known.items()) if word.startswith(incomplete)
    ]
    return [(word, help_) for word, help_ in fitting if _PLAIN.fullmatch(word)]
