"""The machine: Python, PyTorch and its devices, the driver, the clock, what a logout does."""

import getpass
import platform
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from backends.records import Catalogue
from genai_tui.doctor.finding import Finding, fail, ok, warn
from genai_tui.telemetry.record import Snapshot

LOGIND = ("etc/systemd/logind.conf", "etc/systemd/logind.conf.d/*.conf")
LINGER = "var/lib/systemd/linger"
_KILLS = re.compile(r"^\s*KillUserProcesses\s*=\s*(\S+)", re.MULTILINE)
AHEAD_SECONDS = 60.0
"""A file that is younger than now by more than this was written under another clock."""


def python() -> Finding:
    return ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def torch(found: Catalogue | str) -> Iterator[Finding]:
    """PyTorch and what it can compute on, of a catalogue or of the reason why there is none."""
    if isinstance(found, str):
        yield fail("torch", found, "install PyTorch into the environment of genai-tui")
        return
    devices = [f"{each.name} ({each.caption})" for each in found.devices]
    yield ok("torch", f"{found.torch}, computes on {', '.join(devices)}")
    broken = [each for each in (*found.models, *found.datasets) if each.error]
    for each in broken:
        yield warn("catalogue", f"{each.name}: {each.error}", "mend or remove that module")


def gpus(snapshot: Snapshot, found: Catalogue | str) -> Iterator[Finding]:
    """What the driver tells of each GPU, and whether PyTorch can use them."""
    seen = [] if isinstance(found, str) else [each.name for each in found.devices]
    usable = any(name.startswith(("cuda", "xpu", "mps")) for name in seen)
    if not snapshot.gpus:
        yield ok("gpu", snapshot.no_gpu or "no GPU")
        return
    for gpu in snapshot.gpus:
        about = f"gpu {gpu.index}"
        if gpu.problem:
            yield warn(about, f"{gpu.name}: {gpu.problem}", "the page of GPUs (3) shows the rest")
        else:
            yield ok(about, gpu.name)
    if not usable and not isinstance(found, str):
        remedy = "install the build of PyTorch that is for this driver: https://pytorch.org"
        yield warn("torch", f"sees none of {len(snapshot.gpus)} GPUs", remedy)


def clock(newest: Iterable[float], now: float | None = None) -> Finding:
    """Whether something was written in the future: then the clock was set back."""
    now = time.time() if now is None else now
    ahead = max((each - now for each in newest), default=0.0)
    if ahead <= AHEAD_SECONDS:
        return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)))
    found = f"the newest run was written {ahead:,.0f} s after now"
    return warn(
        "clock", found, "set the clock by NTP; ages and rates on screen are wrong till then"
    )


def logout(root: Path = Path("/"), user: str | None = None) -> Finding:
    """Whether systemd-logind kills at logout what a login has started."""
    user = user or getpass.getuser()
    if not any(_kills(text) for text in _texts(root)):
        return ok("logout", "trainings outlive a logout")
    if (root / LINGER / user).exists():
        return ok("logout", "KillUserProcesses is on, and this user lingers")
    found = "KillUserProcesses=yes: a logout kills trainings"
    return warn("logout", found, f"loginctl enable-linger {user}")


def _texts(root: Path) -> Iterator[str]:
    for pattern in LOGIND:
        for path in sorted(root.glob(pattern)):
            try:
                yield path.read_text(errors="replace")
            except OSError:
                continue


def _kills(text: str) -> bool:
    found = _KILLS.findall(text)
    return bool(found) and found[-1].lower() in ("yes", "true", "on", "1")
