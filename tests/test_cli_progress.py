"""A training as lines of text: what a terminal and what a pipe gets to see."""

from backends.records import Checkpoint, Notice, Record, Sample, Scalar, Start, Status, Step
from genai_tui import progress
from genai_tui.progress import InPlace, Plain

RUNNING = Status(state="running", step=20, of=100, eta=42.0)


def step(number: int, loss: float, rate: float = 12.3) -> Step:
    return Step(step=number, t=0, values={"loss": loss}, rates={"steps_per_second": rate})


def events() -> list[Record]:
    return [
        Sample(step=20, t=0, path="samples/step-000020", modality="image", count=4),
        Checkpoint(step=20, t=0, path="checkpoints/step-000020", bytes=6_900_000),
        Notice(step=20, t=0, text="3 files\x1b were skipped"),
        Start(step=10, t=0, attempt=2, of=100),
    ]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_line_is_written_over() -> None:
    said: list[str] = []
    display = InPlace(said.append, lambda: 80)
    for number in (20, 30):
        display.record(step(number, 1 / number))
        display.status(RUNNING)
        display.status(RUNNING)  # nothing new, nothing said
    assert len(said) == 2
    assert all(text.startswith(progress.CLEAR_LINE) and "\n" not in text for text in said)
    assert "step 30/100  loss 0.03333  12.3 steps/s  ETA 42 s" in said[1]
    assert progress.bar(RUNNING).count(progress.BAR) == round(0.2 * progress.BAR_WIDTH)


def test_lines_that_stay_stand_above_it() -> None:
    said: list[str] = []
    display = InPlace(said.append, lambda: 80)
    display.record(step(20, 0.5))
    display.status(RUNNING)
    for record in events():
        display.record(record)
    display.status(RUNNING)
    display.close()
    assert [text.removeprefix(progress.CLEAR_LINE) for text in said[1:5]] == [
        "samples at step 20: samples/step-000020\n",
        "checkpoint at step 20: 6.9 MB\n",
        "warning: 3 files· were skipped\n",
        "attempt 2 goes on from step 10\n",
    ]
    assert said[0] == said[5]  # drawn again below them
    assert said[6] == "\n"


def test_the_line_never_wraps() -> None:
    said: list[str] = []
    display = InPlace(said.append, lambda: 30)
    display.record(step(20, 0.5))
    display.status(RUNNING)
    assert len(said[0].removeprefix(progress.CLEAR_LINE)) == 29


def test_plain_lines_come_at_a_readable_pace() -> None:
    said: list[str] = []
    clock = Clock()
    display = Plain(said.append, clock)
    for number in range(10, 101, 10):
        clock.now = number / 20  # half a second each
        display.record(step(number, 0.5))
        display.status(RUNNING)
    display.status(Status(state="finished", step=100, of=100))
    steps = [int(text.split()[1].partition("/")[0]) for text in said]
    assert steps == [10, 50, 90, 100]
    assert all(text.endswith("\n") for text in said)


def test_plain_lines_say_what_is_waited_for() -> None:
    said: list[str] = []
    display = Plain(said.append, Clock())
    for phase in ("importing torch", "importing torch", "loading data"):
        display.status(Status(state="starting", phase=phase))
    display.status(Status(state="running", of=100))  # not one step yet
    assert said == ["importing torch …\n", "loading data …\n"]


def test_the_losses_that_are_shown() -> None:
    values: dict[str, Scalar] = {
        "kl": 1.0,
        "validation/loss": 3.0,
        "G/loss": 1.0,
        "loss": 0.5,
        "lr": 1.0,
    }
    assert progress.terms(values) == ["loss 0.5000", "G/loss 1.000", "validation/loss 3.000"]
    assert progress.terms({"D/loss": "NaN", "G/loss": 2.0}) == ["D/loss NaN", "G/loss 2.000"]


def test_what_is_done_beside_training_is_said_with_how_far_it_is() -> None:
    starting = Status(state="starting", phase="loading data", phase_done=1200, phase_of=5000)
    assert progress.progress(starting, progress.Latest()) == "loading data 1,200 of 5,000 …"
    validating = Status(
        state="running", of=100, phase="validating", phase_done=3, phase_of=8, step=20
    )
    assert progress.progress(validating, progress.Latest(step=20)).endswith("  validating 3 of 8")
    training = Status(state="running", of=100, phase="training", step=20)
    assert "training" not in progress.progress(training, progress.Latest(step=20))
