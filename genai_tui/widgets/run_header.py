"""The two lines above a run: what it is, how it is, how far it is. Each field repaints alone."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from genai_tui import amounts
from genai_tui.alerts.alert import Level
from genai_tui.store import LIVE, Summary
from genai_tui.visible import visible
from genai_tui.widgets.field import Field
from genai_tui.widgets.run_columns import NOTED, share
from genai_tui.widgets.states import COLOURS, shown

BAR, BAR_REST = "━", "─"


class ProgressBar(Field):
    """How much is done, over its whole width."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._share = 0.0

    def fill(self, done: float) -> None:
        """``done`` is from 0 to 1."""
        self._share = done
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.size.width
        done = round(width * self._share)
        self.show((BAR * done, "$primary"), (BAR_REST * (width - done), "$foreground 30%"))


class RunHeader(Vertical):
    """Shows a summary; the phase comes from the records, which know it first."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Field(id="state")
            yield Field(id="title")
            yield Field(id="alerts")
            yield Field(id="phase")
        with Horizontal():
            yield ProgressBar(id="progress")
            yield Field(id="steps")
            yield Field(id="eta")
            yield Field(id="rate")
            yield Field(id="items")

    def warn(self, worst: Level | None, count: int) -> None:
        """Says how many things are wrong, and which key tells what."""
        if worst is None:
            self._field("alerts").show(layout=True)
            return
        word = "alert" if count == 1 else "alerts"
        colour = "$text-error" if worst == "critical" else "$text-warning"
        self._field("alerts").show((f"! {count} {word} (A)  ", f"bold {colour}"), layout=True)

    def show(self, run: Summary, phase: str) -> None:
        status, live = run.status, run.state in LIVE
        self._field("state").show((shown(run.state), f"bold ${COLOURS[run.state]}"))
        about = f"  {run.model} · {run.dataset}"
        written = f"  {' '.join(run.tags)}" + f"  {NOTED} {' '.join(run.note.split())}" * bool(
            run.note
        )
        self._field("title").show(
            (visible(run.name), "bold"),
            (visible(about), "$text-muted"),
            (visible(written.rstrip()), "$text-accent"),
        )
        self._field("phase").show((visible(phase), "$text-muted"), layout=True)
        self.query_one(ProgressBar).fill(share(run))
        self._field("steps").show(_steps(status.step, status.of))
        self._field("eta").show(f"ETA {amounts.duration(status.eta)}" if live else "")
        self._field("rate").show(f"{amounts.rate(status.steps_per_second)} steps/s" if live else "")
        self._field("items").show(
            f"{amounts.rate(status.items_per_second)} items/s" if live else ""
        )

    def _field(self, name: str) -> Field:
        return self.query_one(f"#{name}", Field)


def _steps(step: int, of: int) -> str:
    if not of:
        return f"step {step:,}"
    if of >= 1_000_000:
        return f"{amounts.count(step)}/{amounts.count(of)} {100 * step / of:.0f} %"
    return f"{step:,}/{of:,} {100 * step / of:.0f} %"
