"""The verb ``gpus``, met by a stub of the driver, and by none."""

import os
from pathlib import Path

import build_runs
import pytest
from cli_tools import Outcome, outside
from nvml import Driver

from backends import records
from genai_tui import liveness
from genai_tui.store import Store, write_atomic

pytest_plugins = ["nvml"]
GIB = 2**30


@pytest.fixture
def ours(store: Store) -> str:
    """A run whose worker is this very process; its id."""
    run = build_runs.build(store, "clothes", step=200, state="running", telemetry=0)
    me = liveness.identity(os.getpid())
    worker = records.Process(pid=me.pid, started=me.started)
    status = records.Status(state="running", boot_id=liveness.boot_id(), worker=worker)
    write_atomic(run.path / "status.json", records.encode(status))
    liveness.hold_keeper(run.path / "keeper.lock")
    return run.id


def gpus(driver: Driver, runs: Path, *words: str) -> Outcome:
    found = driver.environment
    return outside(
        "gpus",
        *words,
        runs=runs,
        LD_LIBRARY_PATH=found["LD_LIBRARY_PATH"],
        FAKE_NVML=found["FAKE_NVML"],
    )


def test_a_line_a_gpu_with_who_computes_there(driver: Driver, store: Store, ours: str) -> None:
    driver.set({"pids.0": f"{os.getpid()}:{4 * GIB},1:{GIB}", "pids.1": "", "reasons.1": 0})
    done = gpus(driver, store.root)
    assert (done.status, done.err) == (0, "")
    machine, first, second = done.out.splitlines()
    assert machine.startswith("CPU ")
    assert "cores, load " in machine
    assert first.startswith(
        "[0]  Stub 9000  61 °C  37 %  2.9/80 GiB  216/400 W  1980 MHz  power cap;"
    )
    assert "/clothes(4.3 GB) root/" in first
    assert second == "[1]  Stub 9000  61 °C  37 %  2.9/80 GiB  216/400 W  1980 MHz"


def test_each_process_as_a_line(driver: Driver, store: Store, ours: str) -> None:
    driver.set({"pids": f"{os.getpid()}:{GIB}"})
    lines = gpus(driver, store.root, "--processes").out.splitlines()
    (line,) = [line for line in lines if line.startswith(f"  {os.getpid()}  ")]
    assert "GPU 0,1 2.1 GB  clothes  " in line


def test_json_is_a_list_of_gpus_in_plain_units(driver: Driver, store: Store, ours: str) -> None:
    driver.set({"pids": f"{os.getpid()}:{GIB}", "fault:nvmlDeviceGetFanSpeed": 3})
    first, second = gpus(driver, store.root, "--json").json
    assert (first["name"], first["index"], second["index"]) == ("Stub 9000", 0, 1)
    assert (first["power"], first["throttling"], first["fan"]) == (215.5, ["power cap"], None)
    (process,) = first["processes"]
    assert (process["pid"], process["run"]) == (os.getpid(), ours)
    assert process["gpu_memory"] == GIB


def test_a_box_without_a_gpu_says_so_and_is_no_failure(
    nvml_library: Path, tmp_path: Path, store: Store
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = gpus(Driver(empty, tmp_path), store.root)
    assert done.status == 0
    assert done.out.splitlines()[1] == "no GPU"
    done = gpus(Driver(empty, tmp_path), store.root, "--json")
    assert (done.status, done.json, done.err) == (0, [], "no GPU\n")


def test_a_driver_that_does_not_start_is_named(driver: Driver, store: Store) -> None:
    driver.set({"fault:nvmlInitWithFlags": 9})
    done = gpus(driver, store.root)
    assert done.status == 0
    assert "no GPU: the NVIDIA driver is not loaded" in done.out


def test_names_reach_no_terminal_as_control_characters(driver: Driver, store: Store) -> None:
    driver.set({"name": "\x1b]0;x\x07Stub"})
    out = gpus(driver, store.root).out
    assert "·]0;x·Stub" in out
    assert "\x1b" not in out
