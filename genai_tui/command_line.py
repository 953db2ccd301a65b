"""The `genai-tui train` command that does what a filled-in form would do."""

import shlex
from collections.abc import Mapping, Sequence

PROGRAM = "genai-tui"
INDENT = "  "


def train_words(
    model: str,
    dataset: str,
    settings: Mapping[str, str],
    *,
    name: str = "",
    seed: int = 0,
    device: str = "auto",
) -> list[str]:
    """The command in quoted pieces that belong on one line each: an option with its value.

    Args:
        model: a generator's name.
        dataset: an entry's name or a path; empty leaves the choice to the generator.
        settings: the knobs that differ from their defaults, as text.
        name: the run's name; empty lets the store find one.
        seed: 0 is the default and is not said.
        device: "auto" is the default and is not said.
    """
    words = [f"{PROGRAM} train {shlex.quote(model)}"]
    words += [_option("--data", dataset)] if dataset else []
    words += [_option("--name", name)] if name else []
    words += [_option("--seed", str(seed))] if seed else []
    words += [_option("--device", device)] if device != "auto" else []
    return words + [_option("--set", f"{knob}={text}") for knob, text in settings.items()]


def train_command(
    model: str,
    dataset: str,
    settings: Mapping[str, str],
    *,
    name: str = "",
    seed: int = 0,
    device: str = "auto",
) -> str:
    """The command on one line; see :func:`train_words`."""
    return " ".join(train_words(model, dataset, settings, name=name, seed=seed, device=device))


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
