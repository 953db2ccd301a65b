"""What a run would be: its size, its data, its length, and the command that starts the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from backends.records import Plan
from genai_tui.command_line import wrapped
from genai_tui.visible import visible

DIM, WRONG, WARN = "$foreground 60%", "$text-error", "$text-warning"
SWEEP = "bold $text-accent"


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that the summary tells.

    Attributes:
        title: the generator's name.
        caption: what the generator is.
        plan: the newest answer of the planner; None before the first.
        pending: whether ``plan`` is of earlier settings.
        steps: optimizer steps; 0 where they are not known.
        batch: items a step.
        words: the command in pieces; see :func:`genai_tui.command_line.train_words`.
        problem: the sentence that says why nothing can start as it is.
        starting: whether it is being started.
        runs: how many runs a start makes; the plan is that of the first.
    """

    title: str = ""
    caption: str = ""
    plan: Plan | None = None
    pending: bool = False
    steps: int = 0
    batch: int = 0
    words: tuple[str, ...] = field(default=())
    problem: str = ""
    starting: bool = False
    runs: int = 1


class PlanSummary(VerticalScroll):
    """Draws an :class:`Outlook`: in a few lines where it is ``brief``, else with room."""

    DEFAULT_CSS = """
    PlanSummary {
        border: round $foreground 25%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $foreground 70%;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; }
        & > Static { width: 1fr; }
    }
    """

    outlook = reactive(Outlook())
    brief = reactive(False)

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def watch_outlook(self) -> None:
        self._draw()

    def watch_brief(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        width = self.scrollable_content_region.width
        content = _brief(self.outlook, width) if self.brief else _full(self.outlook, width)
        self.query_one(Static).update(content)
        self.border_subtitle = _busy(self.outlook)


def _busy(outlook: Outlook) -> str:
    return (
        "starting…" if outlook.starting else "counting…" if outlook.pending and outlook.plan else ""
    )


def facts(outlook: Outlook) -> list[str]:
    """The plan in short phrases; empty where there is none that can be trained."""
    plan = outlook.plan
    if plan is None or plan.error or outlook.problem:
        return []
    held = f", {plan.validation_items:,} held out" if plan.validation_items else ""
    shape = [visible(plan.shape)] if plan.shape else []
    shape += [f"{plan.classes:,} classes"] if plan.classes else []
    said = [f"{plan.parameters:,} parameters", f"{plan.items:,} training items{held}"]
    return said + ([", ".join(shape)] if shape else []) + _length(outlook, plan)


def _length(outlook: Outlook, plan: Plan) -> list[str]:
    if not (outlook.steps and outlook.batch and plan.items):
        return []
    epochs = outlook.steps * outlook.batch / plan.items
    return [f"{outlook.steps:,} steps of {outlook.batch:,} = {epochs:,.3g} epochs"]


def _brief(outlook: Outlook, width: int) -> Content:
    return _joined(
        [
            *_news(outlook),
            *_sweep(outlook),
            _line(" · ".join(facts(outlook)), _look(outlook)),
            *_warnings(outlook),
            *_command(outlook, width),
        ]
    )


def _full(outlook: Outlook, width: int) -> Content:
    head = [_line(outlook.title, "bold $text-primary"), _line(outlook.caption, DIM), _line(" ")]
    body = [_line(text, _look(outlook)) for text in facts(outlook)]
    if outlook.plan is not None and len(outlook.plan.trained) > 1 and body:
        body[1:1] = [_line(f"  {name} {n:,}", DIM) for name, n in outlook.plan.trained.items()]
    command = _command(outlook, width)
    if command:
        command = [_line(" "), _line("the same from a shell", "bold $text-primary"), *command]
    return _joined([*head, *_news(outlook), *_sweep(outlook), *body, *_warnings(outlook), *command])


def _look(outlook: Outlook) -> str:
    return DIM if outlook.pending else ""


def _news(outlook: Outlook) -> list[Content]:
    """Why it cannot start; or, before the first answer, that it is being worked out."""
    sentence = outlook.problem or (outlook.plan.error if outlook.plan else "")
    if sentence:
        is_wait = sentence.endswith("…")
        return [_line(sentence, DIM) if is_wait else _line(f"✗ {sentence}", WRONG)]
    return [_line("counting parameters and items…", DIM)] if outlook.plan is None else []


def _sweep(outlook: Outlook) -> list[Content]:
    """How many runs there will be, and when; each trains once a device is free for it."""
    if outlook.runs == 1 or outlook.problem:
        return []
    return [_line(f"a sweep of {outlook.runs:,} runs, which queue; the first:", SWEEP)]


def _warnings(outlook: Outlook) -> list[Content]:
    notices = outlook.plan.notices if outlook.plan is not None and facts(outlook) else []
    return [_line(f"! {text}", WARN) for text in notices]


def _command(outlook: Outlook, width: int) -> list[Content]:
    words = [visible(word) for word in outlook.words]
    return [_line(line) for line in wrapped(words, width)] if words else []


def _line(text: str, style: str = "") -> Content:
    return Content.styled(visible(text), style)


def _joined(lines: Sequence[Content]) -> Content:
    return Content("\n").join([line for line in lines if line.plain])
