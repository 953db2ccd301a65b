"""What the machine and the clock tell: standstill, idle GPUs, full memory and disks, death."""

from collections.abc import Iterator, Sequence

import numpy as np

from genai_tui import amounts
from genai_tui.alerts.alert import Alert, Kind, Level, Situation
from genai_tui.telemetry.record import Gpu, Telemetry

STALL_TIMES, STALL_SECONDS = 10.0, 60.0
PACE_POINTS = 50
IDLE_SECONDS, IDLE_PERCENT = 60.0, 5.0
MEMORY_SHARE = 0.95
DISK_SECONDS = 120.0
"""A rate is measured over at least this long."""
FULL_SOON, FULL_NOW = 3600.0, 600.0
WAIT_SHARE, WAIT_POINTS = 0.1, 20


def stall(s: Situation) -> Iterator[Alert]:
    """No logged step for ten times as long as usual, and at least a minute, while it trains."""
    times = s.history.times
    if not s.trains or len(times) < 10:
        return
    between = np.diff(times.values[-PACE_POINTS:])
    usual = float(np.median(between))
    since = max(float(times.values[-1]), s.history.phase.t if s.history.phase else 0.0)
    waited = s.now - since
    if waited > max(STALL_SECONDS, STALL_TIMES * usual):
        yield _alert(
            s,
            "stall",
            "critical",
            f"no step for {amounts.duration(waited)}; usually one is logged every "
            f"{_seconds(usual)}",
            "a hung device or driver, a file system that does not answer, or a machine under load",
            "look at the console and at the GPUs (3); x stops it, r resumes from the checkpoint",
            place=str(s.history.step),
        )


def gpu_idle(s: Situation) -> Iterator[Alert]:
    """The run's GPU did nothing for a minute while the run says that it trains."""
    window = _window(s, IDLE_SECONDS)
    if not s.trains or not window or (s.history.phase and s.history.phase.t > window[0].t):
        return
    for name, cards in _ours(s, window).items():
        known = [card.utilisation for card in cards if card.utilisation is not None]
        if len(known) < len(window) / 2 or max(known, default=100.0) >= IDLE_PERCENT:
            continue
        yield _alert(
            s,
            "gpu-idle",
            "warning",
            f"{name} was at most {max(known):.0f} % busy in {amounts.duration(IDLE_SECONDS)}",
            "the training waits for data or for the processor, or computes on another device",
            "look at data_wait and at the worker's CPU; a larger batch_size may help",
            about=name,
            place=s.attempt,
        )


def memory(s: Situation) -> Iterator[Alert]:
    """A GPU of the run, or the host, above 95 %."""
    if not s.live or not s.telemetry:
        return
    last = s.telemetry[-1]
    host = last.host
    places = [("host", host.memory_used, host.memory_total)]
    for name, cards in _ours(s, [last]).items():
        places += [(name, card.memory_used, card.memory_total) for card in cards]
    for name, used, total in places:
        if not used or not total or used / total <= MEMORY_SHARE:
            continue
        full = f"{amounts.gibibytes(used)} of {amounts.gibibytes(total)} GiB of {name}"
        yield _alert(
            s,
            "memory",
            "warning",
            f"{full} are in use ({used / total:.0%})",
            "the next larger allocation may kill the run"
            if name == "host"
            else "fragments, or a batch that only just fits",
            "close what else runs there, or resume with a smaller batch_size and accumulate=2",
            about=name,
            place=s.attempt,
        )


def disk(s: Situation) -> Iterator[Alert]:
    """At the rate of the last minutes the disk of the run is full within the hour."""
    known = [one for one in s.telemetry if one.host.disk_free is not None]
    if not s.live or len(known) < 2 or known[-1].t - known[0].t < DISK_SECONDS:
        return
    times = np.array([one.t - known[0].t for one in known])
    free = np.array([float(one.host.disk_free or 0) for one in known])
    slope = float(np.polyfit(times, free, 1)[0])
    if slope >= 0:
        return
    left = free[-1] / -slope
    if left > FULL_SOON:
        return
    yield _alert(
        s,
        "disk",
        "critical" if left < FULL_NOW else "warning",
        f"{amounts.size(free[-1])} are free and {amounts.size(-slope * 60)} go every minute: full "
        f"in {amounts.duration(left)}",
        "checkpoints, samples, or another program",
        "delete runs (d in the list), or set keep_checkpoints and sample_every lower",
        place=s.attempt,
    )


def data_bound(s: Situation) -> Iterator[Alert]:
    """A training that waited for its data for a tenth of the time."""
    track = s.history.rates.get("data_wait")
    if not s.live or not track or len(track) < WAIT_POINTS:
        return
    share = float(np.nanmean(track.values[-WAIT_POINTS:]))
    if share > WAIT_SHARE:
        yield _alert(
            s,
            "data-bound",
            "warning",
            f"{share:.0%} of the time is spent waiting for data",
            "files are read or decoded more slowly than the model learns",
            "put the data on a local disk; pictures are decoded once into a cache",
            about="data_wait",
            place=s.attempt,
        )


def ended(s: Situation) -> Iterator[Alert]:
    """How a run came to its end, if it has."""
    status, state = s.summary.status, s.summary.state
    reason = status.reason or "nobody says why"
    place = str(status.attempt)
    if state == "interrupted":
        killed = f"signal {status.signal}" if status.signal else "no process of it is left"
        evidence = f"{reason}; {killed}; the last sign of life was at step {status.step:,}"
        cause = "out of memory (signal 9), a reboot, or somebody killed it"
        yield _alert(s, "interrupted", "critical", evidence, cause, _resume(s), place=place)
    elif state == "failed":
        cause = f"exit code {status.exit_code}; the console has the last words"
        yield _alert(s, "failed", "critical", reason, cause, _resume(s), place=place)
    elif state == "finished":
        evidence = f"all {status.of:,} steps are done"
        yield _alert(s, "finished", "info", evidence, "", "look at its samples (v)", place=place)


def _resume(s: Situation) -> str:
    step = s.summary.status.checkpoint
    return "r starts it again" if step is None else f"r resumes it from step {step:,}"


def _window(s: Situation, seconds: float) -> list[Telemetry]:
    """The samples of the last so many seconds; none if there are not that many, or they are old."""
    if not s.telemetry or s.now - s.telemetry[-1].t > seconds:
        return []
    since = s.telemetry[-1].t - seconds
    return [one for one in s.telemetry if one.t >= since] if s.telemetry[0].t <= since else []


def _ours(s: Situation, window: Sequence[Telemetry]) -> dict[str, list[Gpu]]:
    """The samples of the GPU that the run trains on; none if it trains elsewhere."""
    device = s.history.starts[-1].device if s.history.starts else ""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return {}
    found: dict[str, list[Gpu]] = {}
    for one in window:
        for card in one.gpus:
            if card.index == int(index or 0) and not card.parent:
                found.setdefault(f"GPU{card.index}", []).append(card)
    return found


def _alert(
    s: Situation,
    kind: Kind,
    level: Level,
    evidence: str,
    cause: str,
    action: str,
    *,
    about: str = "",
    place: str = "",
) -> Alert:
    step = max(s.history.step, s.summary.status.step)
    return Alert(kind, level, step, s.now, evidence, cause, action, about, place)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else amounts.duration(value)
