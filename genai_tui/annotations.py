"""What its user writes on a run: another name, tags, a note, whether it is put away.

A small file of its own in the run's folder; ``run.json`` stays what was asked.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from backends.records import UNREADABLE
from genai_tui.atomic import write_atomic
from genai_tui.regular import opened
from genai_tui.visible import visible

FILE = "annotation.json"
FORMAT = 1
NAME_LENGTH, TAG_LENGTH, NOTE_LENGTH = 60, 40, 2000
MOST_TAGS, MOST_BYTES = 32, 1 << 16
_TAG = re.compile(r"[^\W_][\w.:=@/-]*")


class Annotation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run's; all empty where nobody has written any.

    Attributes:
        name: how the run is called instead of the name it was created with; empty for that one.
    """

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    format: int = FORMAT


_decode = msgspec.json.Decoder(Annotation).decode


def read(run: Path) -> Annotation:
    """The annotation in a run's folder; the empty one where there is none that can be read."""
    try:
        with opened(run / FILE) as file:
            found = _decode(file.read(MOST_BYTES))
    except (OSError, *UNREADABLE):
        return Annotation()
    return found if found.format <= FORMAT else Annotation()


def write(run: Path, annotation: Annotation) -> None:
    """Replaces a run's annotation.

    Raises:
        OSError: the folder cannot be written.
    """
    write_atomic(run / FILE, msgspec.json.format(msgspec.json.encode(annotation)))


def name_problem(name: str) -> str:
    """Why ``name`` can be no run's, in one sentence; empty if it can.

    A name is a word for the command line: it must be readable and must not mean another run.
    """
    if name == "latest":
        return "latest always means the newest run: choose another name"
    if name != visible(name, limit=NAME_LENGTH) or name != name.strip():
        shown = visible(repr(name), limit=80)
        return f"a run's name is at most {NAME_LENGTH} visible characters, not {shown}"
    return ""


def tag_problem(tag: str) -> str:
    """Why ``tag`` is none, in one sentence; empty if it is one."""
    if _TAG.fullmatch(tag) and len(tag) <= TAG_LENGTH:
        return ""
    shown = visible(repr(tag), limit=60)
    return f"a tag is one word of letters, digits and .:=@/-_, at most {TAG_LENGTH}, not {shown}"


def note_problem(note: str) -> str:
    """Why ``note`` cannot be kept, in one sentence; empty if it can."""
    if len(note) <= NOTE_LENGTH and note == visible(note, lines=True):
        return ""
    return f"a note is at most {NOTE_LENGTH:,} visible characters"


def with_tags(known: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> list[str]:
    """``known`` with some more and without others; each once, in the order in which they came."""
    gone = {tag.casefold() for tag in removed}
    kept = {tag.casefold(): tag for tag in [*known, *added] if tag.casefold() not in gone}
    return list(kept.values())
