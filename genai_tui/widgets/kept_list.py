"""The results of a playground, newest first: what was asked for, to be asked for again."""

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from backends.records import SampleRequest
from genai_tui.playground import Result
from genai_tui.widgets.field import content, entitle


class KeptList(OptionList):
    """One line a result."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "select",
            "show",
            show=False,
            tooltip="Show this result and fill in the form as it was",
            id="kept.show",
        ),
        Binding("d,delete", "delete", "delete", tooltip="Delete this result", id="kept.delete"),
    ]

    class Wanted(Message):
        """The user wants to see a result and to ask as it was asked."""

        def __init__(self, result: Result) -> None:
            super().__init__()
            self.result = result

    class Unwanted(Message):
        """The user has no more use for a result."""

        def __init__(self, result: Result) -> None:
            super().__init__()
            self.result = result

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._results: list[Result] = []

    def on_mount(self) -> None:
        self.show([])

    @property
    def results(self) -> Sequence[Result]:
        return self._results

    @property
    def chosen(self) -> Result | None:
        """The one under the cursor."""
        return None if self.highlighted is None else self._results[self.highlighted]

    def show(self, results: Sequence[Result], at: str = "") -> None:
        """Lists ``results``; the cursor goes to the one with the id ``at``, or stays."""
        mine = at or (self._results[self.highlighted or 0].id if self._results else "")
        if list(results) != self._results:
            self._results = list(results)
            self.clear_options()
            self.add_options([Option(content(*_line(one))) for one in results])
        known = [one.id for one in results]
        self.highlighted = known.index(mine) if mine in known else (0 if known else None)
        entitle(self, f"kept · {len(known)}" if known else "kept", "" if known else "nothing yet")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Wanted(self._results[event.option_index]))

    def action_delete(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Unwanted(self.chosen))


def _line(result: Result) -> list[str | tuple[str, str]]:
    kept = result.kept
    at = time.strftime("%H:%M", time.localtime(kept.t)) if 0 < kept.t < 2**33 else "–"
    what = " · ".join(asked(kept.request))
    return [(f"{at} ", "$foreground 55%"), f"step {kept.step:,} · {what}"]


def asked(request: SampleRequest) -> list[str]:
    """A request in few words: only what it says."""
    parts = [f"{request.count}", f"seed {request.seed}"]
    for name in request.__struct_fields__:
        value = getattr(request, name)
        if name in ("count", "seed", "labels") or value is None:
            continue
        word = name.replace("_", "-")
        parts.append(word if value is True else f"{word} {_short(value)}")
    if request.labels:
        parts.insert(2, "class " + ", ".join(str(label) for label in request.labels[:3]))
    return parts


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else repr(value)
