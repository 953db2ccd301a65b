"""``show``: all that is known of one run without opening the studio."""

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer

from backends.records import Scalar, Start, Status, Step, number
from genai_tui import amounts, scores, sharing
from genai_tui.commands.options import AsJson, RunName, run_of
from genai_tui.commands.output import document, painted, say
from genai_tui.log import LIMIT
from genai_tui.store import TRAINING, Run, Seen
from genai_tui.visible import visible


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint or samples on disk."""

    step: int
    path: str
    bytes: int


def show(context: typer.Context, run: RunName, as_json: AsJson = False) -> None:
    """Show what a run is, how it goes, and what it has on disk."""
    found = run_of(context, run)
    if as_json:
        document(described(found))
        return
    for title, text in facts(found):
        say(f"{painted(f'{title:<12}', '2')}{visible(text)}")


def described(run: Run) -> dict[str, object]:
    """What ``--json`` says."""
    spec, status = run.spec(), run.status()
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state(status),
        "step": status.step,
        "of": status.of,
        "path": str(run.path),
        "annotation": msgspec.to_builtins(run.annotation()),
        "spec": msgspec.to_builtins(spec),
        "status": msgspec.to_builtins(status),
        "scalars": last_scalars(run),
        "checkpoints": checkpoints(run),
        "samples": samples(run),
        "scores": scores.newest(scores.read(run)),
    }


def facts(run: Run) -> list[tuple[str, str]]:
    """What is shown, as titles and texts."""
    spec, status, written = run.spec(), run.status(), run.annotation()
    state, saved, drawn = run.state(status), checkpoints(run), samples(run)
    share = f" ({amounts.percent(status.step / status.of)})" if status.of else ""
    found = [
        ("run", f"{run.name}  {run.id}"),
        ("state", " · ".join(text for text in _state(state, status) if text)),
        ("shared", sharing.shared_with(run)),
        ("tags", " ".join(written.tags)),
        ("note", written.note),
        ("model", spec.model),
        ("data", spec.dataset),
        ("begun from", spec.origin),
        ("pace", _pace(status) if state in TRAINING else ""),
        ("step", f"{status.step:,}/{status.of:,}{share}" if status.of else "0"),
        ("created", f"{amounts.duration(time.time() - spec.created)} ago"),
        ("device", f"{spec.device}, seed {spec.seed}"),
        ("knobs", _pairs(spec.model_config | spec.data_config)),
        ("loop", _pairs(spec.train_config)),
        ("scalars", _scalars(last_scalars(run))),
        ("checkpoints", ", ".join(f"{one.step:,} ({amounts.size(one.bytes)})" for one in saved)),
        ("samples", f"{len(drawn)} times, the newest in {drawn[-1].path}" if drawn else ""),
        ("scores", _scores(run)),
        ("folder", str(run.path)),
    ]
    return [(title, text) for title, text in found if text]


def _state(state: Seen, status: Status) -> tuple[str, ...]:
    if state == "queued":
        return (state, status.waits)
    return (state, amounts.phase(status.phase, status.phase_done, status.phase_of), status.reason)


def _pace(status: Status) -> str:
    rate = amounts.rate(status.steps_per_second)
    return f"{rate} steps/s, ETA {amounts.duration(status.eta)}"


def last_scalars(run: Run) -> dict[str, Scalar]:
    """The newest value of every scalar in the log's last stretch."""
    try:
        size = run.records.stat().st_size
    except FileNotFoundError:
        return {}
    found: dict[str, tuple[int, Scalar]] = {}
    for record in run.read(max(0, size - LIMIT)).records:
        if isinstance(record, Start):  # what an earlier attempt logged beyond it does not count
            found = {name: kept for name, kept in found.items() if kept[0] <= record.step}
        elif isinstance(record, Step):
            for name, value in (record.values | record.rates).items():
                found[name] = (record.step, value)
    return {name: value for name, (_, value) in found.items()}


def checkpoints(run: Run) -> list[Saved]:
    """Checkpoints on disk, oldest first."""
    folders = (
        (step, run.path / "checkpoints" / f"step-{step:06d}") for step in run.checkpoint_steps()
    )
    return [Saved(step, str(folder), _size(folder)) for step, folder in folders]


def samples(run: Run) -> list[Saved]:
    """The samples on disk, periodic and asked for, oldest first."""
    return [Saved(step, str(folder), _size(folder)) for step, folder in run.samples()]


def _size(folder: Path) -> int:
    """Bytes of the files of a folder, which may be pruned meanwhile."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:
        return 0


def _pairs(config: dict[str, int | float | bool | str | None]) -> str:
    return " ".join(f"{name}={_word(value)}" for name, value in config.items())


def _word(value: int | float | bool | str | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _scalars(values: dict[str, Scalar]) -> str:
    return "  ".join(f"{name} {amounts.value(number(value))}" for name, value in values.items())


def _scores(run: Run) -> str:
    """Those of the last checkpoint that was scored."""
    found = scores.latest(scores.read(run))
    if not found:
        return ""
    said = (f"{each.metric} {amounts.value(number(each.value))}" for each in found)
    spaces = ", ".join(sorted({each.features for each in found if each.features}))
    where = f", pictures in {spaces}" if spaces else ""
    return f"of step {found[0].step:,}{where}: {'  '.join(said)}"
