"""What was asked of a run and what became of it: requested, accepted, done; or refused."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from backends.records import Command, Mark
from genai_tui.history import History
from genai_tui.widgets.field import Field, Part, entitle

_NOTICE = {"info": "$text-muted", "warning": "$text-warning", "error": "$text-error"}


BRIEF_WIDTH = 60


@dataclass(slots=True)
class Entry:
    """A line of the list; ``t`` orders it among the others."""

    t: float
    parts: list[Part] = field(default_factory=list)


class Activity(Field, can_focus=True):
    """The newest entries, first; as many as there are lines."""

    ALLOW_MAXIMIZE = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._requested: dict[str, Command] = {}
        self._history = History()

    def on_mount(self) -> None:
        entitle(self, "activity")
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def request(self, command: Command) -> None:
        """A command of ours is on its way; nobody has answered yet."""
        self._requested[command.id] = command

    def follow(self, history: History) -> None:
        """Brings the list up to date."""
        self._history = history
        self._draw()

    def _draw(self) -> None:
        width, height = self.content_size
        found = entries(self._history, self._requested.values(), brief=width < BRIEF_WIDTH)
        self.set_class(not found, "-empty")
        parts: list[Part] = []
        for entry in found[: max(1, height)]:
            parts += [*entry.parts, "\n"]
        self.show(*parts[:-1] or ("nothing was asked of this run yet",))


def entries(history: History, requested: Iterable[Command], *, brief: bool = False) -> list[Entry]:
    """Commands with their answers, restarts and notices, newest first."""
    commands: dict[str, tuple[float, str, list[Mark]]] = {
        command.id: (command.t, command.verb, []) for command in requested
    }
    for mark in history.marks:
        commands.setdefault(mark.id, (mark.t, mark.verb, []))[2].append(mark)
    found = [Entry(t, _command(verb, marks, brief)) for t, verb, marks in commands.values()]
    found += [
        Entry(start.t, [("start ", "bold"), f"from step {start.step:,}, attempt {start.attempt}"])
        for start in history.starts
        if start.attempt > 1
    ]
    found += [Entry(note.t, [(note.text, _NOTICE[note.level])]) for note in history.notices]
    return sorted(found, key=lambda entry: entry.t, reverse=True)


def _command(verb: str, marks: list[Mark], brief: bool) -> list[Part]:
    """In brief, what was answered need not be said to have been requested."""
    requested: list[Part] = [] if brief and marks else [" ", ("requested", "$text-muted")]
    parts: list[Part] = [(verb, "bold"), *requested]
    at = " at " if brief else " at step "
    for mark in marks:
        if mark.answer == "refused":
            parts += [" → ", ("refused", "$text-error"), f": {mark.detail}"]
            continue
        colour = "$text-success" if mark.answer == "done" else "$text-accent"
        parts += [" → ", (mark.answer, colour), f"{at}{mark.step:,}"]
        if mark.detail:
            parts.append((f" ({mark.detail})", "$text-muted"))
    return parts
