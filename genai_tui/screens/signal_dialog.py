"""Asks which signal a process shall get; to a run's worker it offers the better way first."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from genai_tui.processes import Row
from genai_tui.visible import visible
from genai_tui.widgets.field import Part, content

STOP = "stop"
_LEAVE = "leave"
_COMMAND_LENGTH = 160
_KEYS = {"s": STOP, "i": "INT", "t": "TERM", "k": "KILL", "n": _LEAVE}
"""KILL takes no shift key: the K that asks may be pressed twice."""
_MEANINGS: dict[str, tuple[str, str]] = {
    "worker": ("asks it to stop, with a checkpoint", "ends it; the newest checkpoint is resumed"),
    "keeper": ("asks its run to stop, with a checkpoint", "ends it; its run is interrupted"),
    "poller": ("ends it; another is started", "ends it; another is started"),
}
"""What TERM and KILL come to, by what a process does for its run."""
_OTHERS = ("asks it to end", "ends it at once: it saves nothing")


class SignalDialog(ModalScreen[str | None]):
    """Answers STOP, the name of a signal, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"answer('{answer}')", answer, show=False) for key, answer in _KEYS.items()),
        Binding(
            "escape,q",
            f"answer('{_LEAVE}')",
            "leave it",
            tooltip="Send nothing",
            id="signal.cancel",
        ),
    ]

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row
        self._run = visible(row.owner.run.name) if row.owner else ""
        self._role = row.owner.role if row.owner else ""

    def compose(self) -> ComposeResult:
        ways = _ways(self._role)
        with Vertical(classes="dialog", id="signals"):
            yield Static(content(*self._question()), markup=False)
            yield OptionList(*(_option(*way) for way in ways), compact=True)

    def on_mount(self) -> None:
        ways = self.query_one(OptionList)
        ways.highlighted = 0 if self._run else ways.option_count - 1
        ways.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_answer(event.option_id or _LEAVE)

    def action_answer(self, answer: str) -> None:
        if answer == STOP and not self._run:
            return
        self.dismiss(None if answer == _LEAVE else answer)

    def _question(self) -> list[Part]:
        process = self._row.process
        command = visible(process.command, limit=_COMMAND_LENGTH) if process else ""
        parts: list[Part] = [
            (f"Process {self._row.pid}\n", "bold"),
            (f"{command}\n", "$text-muted"),
        ]
        if self._run:
            sentence = (
                f"\nIt is the {self._role} of the run {self._run}. A stop ends the run after this "
                "step, with a checkpoint.\n"
            )
            parts.append(sentence)
        return parts


def _ways(role: str) -> list[tuple[str, str, str]]:
    """Key, answer, what it means."""
    term, kill = _MEANINGS.get(role, _OTHERS)
    found = [
        ("i", "INT", "interrupts it, as ctrl+c does"),
        ("t", "TERM", term),
        ("K", "KILL", kill),
        ("n", _LEAVE, "sends nothing"),
    ]
    return [("s", STOP, "ends the run with a checkpoint (recommended)"), *found] if role else found


def _option(key: str, answer: str, meaning: str) -> Option:
    prompt = Content.assemble((f" {key} ", "bold"), f"{answer:<6}", (meaning, "$text-muted"))
    return Option(prompt, id=answer)
