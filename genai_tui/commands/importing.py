"""``import``: makes a safetensors file of weights that another program pickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from backends.records import Imported, LeftOut
from genai_tui import amounts, conversion
from genai_tui.commands.options import AsJson
from genai_tui.commands.output import busy, document, say
from genai_tui.visible import visible

NAMED = 3
"""Things left out that are named."""
NAME = 60
"""Characters of a name that are shown."""


def import_weights(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What torch.save wrote: .pt, .pth, .ckpt or .bin."),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="The file to make; else beside FILE.", show_default=False
        ),
    ] = None,
    part: Annotated[
        str,
        typer.Option(metavar="NAME", help="Only the tensors in that part, such as state_dict."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a safetensors file of somebody else's weights, to start a training from.

    Such files are pickles, which can run code when they are read. A process with
    limits takes the tensors out of it; one that asks for anything else is refused.
    """
    target = conversion.target_of(file, to)
    with busy(f"a process with limits reads {visible(str(file))}"):
        found = conversion.convert(file, target, part)
    if as_json:
        document({"path": str(target), **described(found)})
        return
    for line in lines(found, target):
        say(visible(line))


def described(found: Imported) -> dict[str, object]:
    """What ``--json`` says beside the path."""
    return {name: getattr(found, name) for name in found.__struct_fields__}


def lines(found: Imported, target: Path) -> list[str]:
    """What was found and what was not taken, a sentence a line."""
    tensors = f"{found.tensors:,} tensor{'s' * (found.tensors != 1)}"
    sizes = f"{amounts.count(found.parameters)} values, {amounts.size(found.bytes)}"
    told = [f"{target}: {tensors}, {sizes} ({_listed(found.dtypes)})"]
    if found.dropped:
        told.append(f"  all names began with {_short(found.dropped)}, which is left away")
    if found.parts:
        first = next(iter(found.parts))
        told.append(f"  parts: {_listed(found.parts)}; one alone with --part {first}")
    if found.left_out_count:
        told.append(f"  left out: {_named(found.left_out, found.left_out_count)}")
    return [*told, f"  train with it  genai-tui train MODEL --from {target}"]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _named(left_out: list[LeftOut], count: int) -> str:
    names = ", ".join(f"{_short(one.name)} ({one.reason})" for one in left_out[:NAMED])
    return f"{names} and {count - NAMED:,} more" if count > NAMED else names


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
