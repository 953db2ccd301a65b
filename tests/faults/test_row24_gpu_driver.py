"""Row 24: a GPU driver that is missing, mismatched, lost, forbidding, hanging, split or too old.

Under the real nvidia-ml-py, with a libnvidia-ml.so.1 that is compiled from tests/nvml_stub.c. Each
field degrades by itself, with the reason; what hangs costs its patience and nothing else.
"""

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from nvml import Driver, Probe, build, probing

from faults.scorecard import Entry
from genai_tui.store import Store

pytest_plugins = ["nvml"]

CODES = {
    "not initialized": 1,
    "not supported": 3,
    "no permission": 4,
    "driver not loaded": 9,
    "GPU lost": 15,
    "reset required": 16,
    "mismatch": 18,
    "unknown": 999,
}
CALLS = ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTemperature", "nvmlDeviceGetMemoryInfo_v2")
SLACK_S = 20.0
"""Starting a program on a machine with other work, over what it waits for the driver."""


def gpus(driver: Driver, store: Store) -> list[dict[str, Any]]:
    """What ``genai-tui gpus --json`` says, within its patience."""
    begin = monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "genai_tui.cli", "--runs", str(store.root), "gpus", "--json"],
        env=driver.environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert monotonic() - begin < SLACK_S
    return json.loads(done.stdout)


@pytest.mark.parametrize("fault", CODES)
def test_a_field_that_fails_is_unknown_and_alone(
    fault: str, driver: Driver, probe: Probe, scorecard: Entry
) -> None:
    lost = 0
    for number, call in enumerate(CALLS):
        driver.reset()
        probe.new()
        driver.set({f"fault:{call}.0": CODES[fault]})
        sick, well = probe.sample(number * 100).gpus
        untold = not sick.problem and fault != "not supported"  # which is no fault of the card
        lost += untold or bool(well.problem) or well.temperature is None
        lost += call == CALLS[1] and sick.temperature is not None
    assert not lost
    scorecard(row=24, tried=len(CALLS), lost=lost)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("nvmlDeviceGetName", marks=pytest.mark.faults_long),
        "nvmlDeviceGetPowerUsage",
    ],
)
def test_a_driver_that_hangs_for_ever_keeps_no_program_waiting(
    call: str, driver: Driver, store: Store, scorecard: Entry
) -> None:
    driver.set({f"hang:{call}": 600_000})
    assert gpus(driver, store) == []
    scorecard(row=24, tried=1, lost=0)


def test_a_hang_of_800_ms_is_waited_for(driver: Driver, store: Store, scorecard: Entry) -> None:
    driver.set({"hang:nvmlDeviceGetTemperature.1": 800})
    assert [gpu["temperature"] for gpu in gpus(driver, store)] == [61.0, 61.0]
    scorecard(row=24, tried=1, lost=0)


def test_a_card_that_is_split_off_the_bus_or_too_old(
    driver: Driver, probe: Probe, tmp_path: Path, scorecard: Entry
) -> None:
    driver.set({"mig.0": 2})
    card, *instances, other = probe.sample(0).gpus
    assert card.utilisation is None
    assert "MIG" in card.problem
    assert len(instances) == 2
    assert not other.problem
    old = Driver(build(tmp_path, missing="nvmlDeviceGetTemperature"), tmp_path)
    with probing(old) as ancient:
        found = ancient.sample(0).gpus[0]
    assert found.temperature is None
    assert "too old" in found.problem
    assert found.power is not None
    scorecard(row=24, tried=2, lost=0)
