"""The command that does what a filled-in form would do: `genai-tui train` and `sample`."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.records import SampleRequest
from genai_tui import settings as preferences
from genai_tui.settings import SettingsError

PROGRAM = "genai-tui"
INDENT = "  "


def in_store(command: str, root: Path) -> str:
    """A command that finds its runs in ``root``, wherever it would look by itself."""
    try:
        found = preferences.runs_dir() == root.absolute()
    except SettingsError:
        found = False
    words = command.removeprefix(PROGRAM)
    return command if found else f"{PROGRAM} --runs {shlex.quote(str(root.absolute()))}{words}"


def train_words(
    model: str,
    dataset: str,
    settings: Mapping[str, str],
    *,
    name: str = "",
    seed: int = 0,
    device: str = "auto",
    begin: str = "",
    sweep: Mapping[str, str] | None = None,
) -> list[str]:
    """The command in quoted pieces that belong on one line each: an option with its value.

    Args:
        model: a generator's name.
        dataset: an entry's name or a path; empty leaves the choice to the generator.
        settings: the knobs that differ from their defaults, as text.
        name: the run's name; empty lets the store find one.
        seed: 0 is the default and is not said.
        device: "auto" is the default and is not said.
        begin: the run and the step whose weights it begins with; empty if none.
        sweep: the knobs that have several values, those with commas between.
    """
    words = [f"{PROGRAM} train {shlex.quote(model)}"]
    words += [_option("--data", dataset)] if dataset else []
    words += [_option("--from", begin)] if begin else []
    words += [_option("--name", name)] if name else []
    words += [_option("--seed", str(seed))] if seed else []
    words += [_option("--device", device)] if device != "auto" else []
    words += [_option("--set", f"{knob}={text}") for knob, text in settings.items()]
    return words + [_option("--sweep", f"{knob}={text}") for knob, text in (sweep or {}).items()]


def sample_words(
    run: str,
    step: int | None,
    request: SampleRequest,
    labels: Sequence[str] = (),
    out: str = "drawn",
) -> list[str]:
    """The command that draws the same samples, in pieces like those of :func:`train_words`.

    Args:
        run: its id.
        step: of the checkpoint; None is the newest.
        labels: names of the classes that are asked for.
        out: the folder that the command makes.
    """
    words = [f"{PROGRAM} sample {shlex.quote(run)}"]
    words += [_option("--step", str(step))] if step is not None else []
    for name in request.__struct_fields__:
        value = getattr(request, name)
        if name == "labels" or value is None or value is False:
            continue
        flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
        words.append(flag if value is True else _on_one_line(flag, _plain(value)))
    return [*words, *(_on_one_line("--label", label) for label in labels), _option("--out", out)]


_FLAGS = {"steps": "sampler_steps"}
"""Fields of a request that have another name on the command line."""


def _plain(value: float | str) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def wrapped(words: Sequence[str], width: int) -> list[str]:
    """``words`` on lines of ``width`` that a shell reads as one: each but the last ends in a
    backslash. A word that is longer than a line keeps a line of its own."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}" if lines[-1].strip() else f"{lines[-1]}{word}"
        if lines[-1].strip() and len(joined) > width - len(" \\"):
            lines.append(INDENT + word)
        else:
            lines[-1] = joined
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _option(flag: str, value: str) -> str:
    # A value that begins with a dash reads as the next option unless it is joined to its own.
    return (
        shlex.quote(f"{flag}={value}") if value.startswith("-") else f"{flag} {shlex.quote(value)}"
    )


def _on_one_line(flag: str, value: str) -> str:
    """An option whose value may have new lines in it, as bash, zsh and ksh spell them."""
    if value.isprintable():
        return _option(flag, value)
    return f"{flag}=$'{''.join(map(_escaped, value))}'"


def _escaped(character: str) -> str:
    known = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t"}
    plain = character if character.isprintable() else f"\\U{ord(character):08x}"
    return known.get(character, plain)
