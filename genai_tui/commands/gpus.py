"""``gpus``: one look at the GPUs and at what runs on them, as a table or as JSON."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from genai_tui import amounts, processes
from genai_tui.commands.options import AsJson, store_of
from genai_tui.commands.output import busy, document, painted, say, tell
from genai_tui.processes import Row
from genai_tui.store import Store
from genai_tui.telemetry.devices import MIG_PROBLEM
from genai_tui.telemetry.record import Gpu, Host, Snapshot
from genai_tui.visible import visible

PATIENCE_S = 10.0
"""A driver that nobody has used for a while takes seconds to wake up."""
LOOK_S = 0.3
"""Between two looks, from which loads are told."""
COMMAND_LENGTH = 40


def gpus(
    context: typer.Context,
    as_json: AsJson = False,
    everything: Annotated[
        bool, typer.Option("--processes", help="Show each process on a GPU as a line.")
    ] = False,
) -> None:
    """Show the GPUs, the machine and what trains on it, once."""
    store = store_of(context)
    snapshot = _look(store)
    found = _rows(store, snapshot)
    if as_json:
        document([described(gpu, found) for gpu in snapshot.gpus])
        if not snapshot.gpus:
            tell(visible(snapshot.no_gpu))
        return
    say(_machine(snapshot.host))
    if not snapshot.gpus:
        say(visible(snapshot.no_gpu))
    for line in _table(snapshot.gpus, found):
        say(line)
    shown = [row for row in found if row.gpus or (row.owner and row.owner.role == "worker")]
    if everything or not snapshot.gpus:
        for row in shown:
            say(visible(_process(row)))


def described(gpu: Gpu, found: Sequence[Row]) -> dict[str, object]:
    """What ``--json`` says of a GPU; bytes, watts, °C, MHz, per cent; null is unknown."""
    told: dict[str, object] = {name: getattr(gpu, name) for name in gpu.__struct_fields__}
    told["processes"] = [_described(row, memory) for row, memory in _on(gpu, found)]
    return told


def _on(gpu: Gpu, found: Sequence[Row]) -> list[tuple[Row, int | None]]:
    """Who computes there, with the memory it takes there."""
    memory = {each.pid: each.memory for each in gpu.processes or []}
    here = [row for row in found if gpu.index in row.gpus and row.pid in memory]
    return [(row, memory[row.pid]) for row in here]


def _described(row: Row, memory: int | None) -> dict[str, object]:
    process = row.process
    return {
        "pid": row.pid,
        "user": process.user if process else None,
        "command": process.command if process else None,
        "gpu_memory": memory,
        "memory": process.memory if process else None,
        "cpu": process.cpu if process else None,
        "since": process.since if process else None,
        "run": row.owner.run.id if row.owner else None,
    }


def _look(store: Store) -> Snapshot:
    from genai_tui.telemetry.sampler import Sampler  # psutil is slow to load

    folder = next(each for each in (store.root, *store.root.parents) if each.exists())
    with busy("asking the driver"):
        sampler = Sampler(patience=PATIENCE_S)
        began = time.monotonic()
        first = sampler.snapshot(folder, processes=True)
        if time.monotonic() - began >= PATIENCE_S:  # the driver hangs: a second look would as well
            return first
        time.sleep(LOOK_S)
        return sampler.snapshot(folder, processes=True)


def _rows(store: Store, snapshot: Snapshot) -> list[Row]:
    owners = processes.owners_of(store.summaries())
    found = snapshot.processes or []
    rows = processes.rows(found, snapshot.gpus, snapshot.strangers, owners)
    return processes.looked_at(rows, processes.View(everything=False))


def _machine(host: Host) -> str:
    cpu = amounts.UNKNOWN if host.cpu is None else f"{host.cpu:.0f} %"
    load = amounts.UNKNOWN if host.load is None else f"{host.load:.1f}"
    used, total = amounts.gibibytes(host.memory_used), amounts.gibibytes(host.memory_total)
    parts = [
        f"CPU {cpu} of {host.cores or amounts.UNKNOWN} cores",
        f"load {load}",
        f"memory {used}/{total} GiB",
        f"disk {amounts.size(host.disk_free)} free",
    ]
    return ", ".join(parts)


def _table(gpus: Sequence[Gpu], found: Sequence[Row]) -> list[str]:
    """A line a GPU, columns as wide as their widest cell."""
    lines = [_cells(gpu, found) for gpu in gpus]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    wrong = [gpu.problem not in ("", MIG_PROBLEM) for gpu in gpus]
    return [_line(cells, widths, bad) for cells, bad in zip(lines, wrong, strict=True)]


def _line(cells: Sequence[str], widths: Sequence[int], wrong: bool) -> str:
    index, name, *numbers, last = cells
    padded = [cell.rjust(width) for cell, width in zip(numbers, widths[2:], strict=False)]
    head = f"{index.rjust(widths[0])}  {name.ljust(widths[1])}"
    return "  ".join([painted(head, "1"), *padded, painted(last, "31") if wrong else last]).rstrip()


def _cells(gpu: Gpu, found: Sequence[Row]) -> list[str]:
    name = visible(gpu.name).removeprefix("NVIDIA ") or amounts.UNKNOWN
    used, total = amounts.gibibytes(gpu.memory_used), amounts.gibibytes(gpu.memory_total)
    limit = f"/{gpu.power_limit:.0f}" if gpu.power_limit else ""
    return [
        "└" if gpu.parent else f"[{gpu.index}]",
        name,
        f"{_whole(gpu.temperature)} °C",
        f"{_whole(gpu.utilisation)} %",
        f"{used}/{total} GiB",
        f"{_whole(gpu.power)}{limit} W",
        f"{_whole(gpu.clock)} MHz",
        visible("; ".join(filter(None, [_throttled(gpu), gpu.problem, _users(gpu, found)]))),
    ]


def _throttled(gpu: Gpu) -> str:
    return ", ".join(gpu.throttling or [])


def _users(gpu: Gpu, found: Sequence[Row]) -> str:
    """Who computes there, as gpustat says it: "ada/clothes(40 GB) bob/python(2 GB)"."""
    return " ".join(_user(row, memory) for row, memory in _on(gpu, found))


def _user(row: Row, memory: int | None) -> str:
    process = row.process
    if process is None:
        return f"{row.pid}({amounts.size(memory)})"
    program = process.command.split(" ", 1)[0].rpartition("/")[2]
    return f"{process.user}/{row.ours or program}({amounts.size(memory)})"


def _process(row: Row) -> str:
    process = row.process
    if process is None:
        return f"  {row.pid}  {amounts.UNKNOWN}  on {_places(row)}"
    age = None if process.since is None else time.time() - process.since
    parts = [
        f"  {row.pid}",
        process.user,
        f"CPU {_whole(process.cpu)} %",
        amounts.size(process.memory),
        amounts.short_duration(age),
        _places(row),
        row.ours,
        process.command[:COMMAND_LENGTH],
    ]
    return "  ".join(part for part in parts if part)


def _places(row: Row) -> str:
    if not row.gpus:
        return ""
    return f"GPU {','.join(map(str, row.gpus))} {amounts.size(row.gpu_memory)}"


def _whole(value: float | None) -> str:
    return amounts.UNKNOWN if value is None else f"{value:.0f}"
