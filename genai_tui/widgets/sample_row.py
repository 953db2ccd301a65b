"""What several runs drew at one step with one seed, side by side."""

import math
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from genai_tui.comparison import sample_at
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.samples import Samples

LEAST_WIDTH, LEAST_HEIGHT = 26, 9


class Drawn(Samples, can_focus=False):
    """The samples of one of the runs."""


class SampleRow(VerticalScroll, can_focus=True, inherit_bindings=False):
    """A panel a run, as large as there is room for; keys turn the pages of all at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "down,j",
            "turn(1)",
            "next page",
            show=False,
            tooltip="More samples",
            id="move.next_page",
        ),
        Binding(
            "up,k",
            "turn(-1)",
            "previous page",
            show=False,
            tooltip="Samples before",
            id="move.page_before",
        ),
        Binding(
            "pagedown",
            "page_down",
            "runs below",
            show=False,
            tooltip="To the runs below",
            id="compare.below",
        ),
        Binding(
            "pageup",
            "page_up",
            "runs above",
            show=False,
            tooltip="To the runs above",
            id="compare.above",
        ),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._panels: dict[Contender, Drawn] = {}

    async def seat(self, contenders: Sequence[Contender]) -> None:
        """Makes a panel for each run."""
        self._panels = {one: Drawn() for one in contenders}
        await self.mount_all(self._panels.values())
        self._arrange()

    def follow(self, steps: Sequence[float] | None, *, dark: bool) -> None:
        """Shows the newest samples of every run, or those up to its step, of the first's seed."""
        seed = next((one.spec.seed for one in self._panels), None)
        ends = steps or [math.inf] * len(self._panels)
        for (one, panel), step in zip(self._panels.items(), ends, strict=True):
            sample = sample_at(one.history, step, seed)
            panel.styles.border_subtitle_color = one.ink(dark=dark)
            if sample is None:
                panel.show(one.run.path, "", f"{one.letter} {one.spec.name}")
                continue
            drawn = f"{one.letter} · step {sample.step:,} · seed {sample.request.seed}"
            panel.show(one.run.path, sample.path, drawn)

    def action_turn(self, pages: int) -> None:
        for panel in self._panels.values():
            panel.action_turn(pages)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Side by side while that is wide enough, else in the fewest equal rows."""
        width, height = self.size
        count = len(self._panels)
        if not count or not width:
            return
        most = max(1, min(count, width // LEAST_WIDTH))
        rows = -(-count // most)
        self.styles.grid_size_columns = -(-count // rows)
        self.styles.grid_rows = str(max(LEAST_HEIGHT, height // rows))
