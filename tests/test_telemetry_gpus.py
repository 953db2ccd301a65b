"""GPUs under the real nvidia-ml-py and a driver that misbehaves: each field fails by itself."""

from pathlib import Path
from time import monotonic

import pytest
from nvml import MIB, Driver, Probe, Sampled, build, probing

from genai_tui.telemetry.devices import Device, visible
from genai_tui.telemetry.record import Gpu, GpuProcess

pytest_plugins = ["nvml"]

FIELDS = {
    "utilisation": "nvmlDeviceGetUtilizationRates",
    "memory_used": "nvmlDeviceGetMemoryInfo_v2",
    "memory_total": "nvmlDeviceGetMemoryInfo_v2",
    "power": "nvmlDeviceGetPowerUsage",
    "power_limit": "nvmlDeviceGetEnforcedPowerLimit",
    "temperature": "nvmlDeviceGetTemperature",
    "processes": "nvmlDeviceGetComputeRunningProcesses_v3",
    "memory_busy": "nvmlDeviceGetUtilizationRates",
    "clock": "nvmlDeviceGetClockInfo",
    "memory_clock": "nvmlDeviceGetClockInfo",
    "fan": "nvmlDeviceGetFanSpeed",
    "pcie_in": "nvmlDeviceGetPcieThroughput",
    "pcie_out": "nvmlDeviceGetPcieThroughput",
    "throttling": "nvmlDeviceGetCurrentClocksEventReasons",
}
FUNCTIONS = sorted(set(FIELDS.values()))
OLDER = {
    "nvmlDeviceGetMemoryInfo_v2": "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetComputeRunningProcesses_v3": "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetCurrentClocksEventReasons": "nvmlDeviceGetCurrentClocksThrottleReasons",
}


def unknown(gpu: Gpu) -> set[str]:
    return {field for field in FIELDS if getattr(gpu, field) is None}


def healthy(sampled: Sampled) -> bool:
    return not sampled.problem and not any(unknown(gpu) or gpu.problem for gpu in sampled.gpus)


def test_every_field_in_its_unit(driver: Driver, probe: Probe) -> None:
    driver.set({"util.1": 99})
    first, second = probe.sample(0).gpus
    assert first == Gpu(
        uuid="GPU-00000000-aaaa",
        index=0,
        name="Stub 9000",
        utilisation=37.0,
        memory_used=3000 * MIB,
        memory_total=81_920 * MIB,
        power=215.5,
        power_limit=400.0,
        temperature=61.0,
        processes=[GpuProcess(4242, MIB), GpuProcess(4243, None)],
        memory_busy=12.0,
        clock=1980,
        memory_clock=2619,
        fan=45.0,
        pcie_in=1.2e9,
        pcie_out=0.3e9,
        throttling=["power cap"],
    )
    assert second.index == 1
    assert second.utilisation == 99.0


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (3, ""),
        (4, "no permission"),
        (16, "needs a reset"),
        (999, "unknown error"),
        (77, "error 77"),
    ],
)
def test_a_field_that_fails_takes_no_other_along(
    driver: Driver, probe: Probe, function: str, code: int, reason: str
) -> None:
    # What an older driver says of the newer form of a call leads to the older form.
    older = {f"fault:{name}": 3 for name in OLDER.values()}
    driver.set({f"fault:{function}.1": code} | (older if code == 3 else {}))
    first, second = probe.sample(0).gpus
    affected = {field for field, asked in FIELDS.items() if asked == function}
    if code == 3:
        assert unknown(first) == set()
    assert unknown(second) == affected
    assert reason in second.problem
    assert bool(second.problem) == bool(reason)
    driver.reset()
    assert healthy(probe.sample(10))


@pytest.mark.parametrize(
    ("code", "reason"), [(9, "not loaded"), (18, "mismatch"), (999, "unknown"), (4, "permission")]
)
def test_a_driver_that_does_not_start_is_tried_again_later_and_later(
    driver: Driver, probe: Probe, code: int, reason: str
) -> None:
    driver.set({"fault:nvmlInitWithFlags": code})
    for at in (0, 1, 3):
        sampled = probe.sample(at)
        assert sampled.gpus == []
        assert reason in sampled.problem
    driver.reset()
    assert reason in probe.sample(6.9).problem
    assert healthy(probe.sample(7))


def test_no_card_is_no_gpu(driver: Driver, probe: Probe) -> None:
    driver.set({"gpus": 0})
    assert probe.sample(0) == Sampled([], "no GPU")


@pytest.mark.parametrize("code", [1, 15])
def test_a_lost_gpu_keeps_its_place_and_comes_back(driver: Driver, probe: Probe, code: int) -> None:
    assert healthy(probe.sample(0))
    driver.set({"fault:*.1": code})
    for at in (1, 2, 3, 10):  # reconnecting, too
        first, second = probe.sample(at).gpus
        assert not unknown(first)
        assert unknown(second) == set(FIELDS)
        assert second.uuid == "GPU-00000001-aaaa"
        assert second.name == "Stub 9000"
        assert second.problem
    driver.reset()
    assert healthy(probe.sample(100))


def test_a_gpu_that_falls_off_the_bus_is_said_to_be_gone(driver: Driver, probe: Probe) -> None:
    assert healthy(probe.sample(0))
    driver.set({"gone.0": 1})
    stale = probe.sample(1).gpus
    assert stale[0].problem.startswith("the GPU does not answer")
    assert not unknown(stale[1])
    gone = {gpu.uuid: gpu for gpu in probe.sample(2.5).gpus}
    assert "fell off the bus" in gone["GPU-00000000-aaaa"].problem
    assert not unknown(gone["GPU-00000001-aaaa"])
    driver.reset()
    assert healthy(probe.sample(100))


def test_a_session_that_ended_is_opened_again(driver: Driver, probe: Probe) -> None:
    assert healthy(probe.sample(0))
    driver.set({"session": 1})
    assert all(unknown(gpu) == set(FIELDS) for gpu in probe.sample(1).gpus)
    assert healthy(probe.sample(2))


def test_slow_fields_are_asked_for_less_often(driver: Driver, probe: Probe) -> None:
    probe.sample(0)
    driver.set({"util": 1, "power": 1000, "pids": "7:1"})
    soon = probe.sample(1).gpus[0]
    assert (soon.utilisation, soon.power) == (1.0, 215.5)
    later = probe.sample(3).gpus[0]
    assert (later.power, later.processes) == (1.0, [GpuProcess(7, 1)])


def test_a_hung_call_costs_its_time_and_nothing_else(driver: Driver, probe: Probe) -> None:
    driver.set({"hang:nvmlDeviceGetPowerUsage.1": 800})
    before = monotonic()
    assert healthy(probe.sample(0))
    assert monotonic() - before >= 0.8


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_driver_too_old_for_a_call(nvml_library: Path, tmp_path: Path, function: str) -> None:
    driver = Driver(build(tmp_path, missing=function), tmp_path)
    with probing(driver) as probe:
        gpu = probe.sample(0).gpus[0]
    if function in OLDER:
        assert not unknown(gpu)
    else:
        assert unknown(gpu) == {field for field, asked in FIELDS.items() if asked == function}
        assert "too old" in gpu.problem


def test_a_machine_without_the_library(nvml_library: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with probing(Driver(empty, tmp_path)) as probe:
        assert probe.sample(0) == Sampled([], "no GPU")
        build(empty)  # the driver is installed while we run
        assert probe.sample(0.5) == Sampled([], "no GPU")
        assert healthy(probe.sample(1))


def test_mig_instances_follow_their_card(driver: Driver, probe: Probe) -> None:
    driver.set({"mig.0": 2})
    card, one, two, other = probe.sample(0).gpus
    assert unknown(card) == {"utilisation", "memory_busy"}
    assert "MIG" in card.problem
    assert [gpu.parent for gpu in (one, two)] == [card.uuid, card.uuid]
    assert unknown(one) == set(FIELDS) - {"memory_used", "memory_total", "processes"}
    assert one.memory_total == 81_920 * MIB // 7
    assert "MIG" in one.problem
    assert not unknown(other)
    driver.set({"mig.0": 1})  # an instance is destroyed, without a fault of the card
    assert len(probe.sample(61).gpus) == 3


@pytest.mark.parametrize(
    ("setting", "uuids"),
    [
        ("1", ["GPU-00000001-aaaa"]),
        (" 1 , 0 ", ["GPU-00000001-aaaa", "GPU-00000000-aaaa", "MIG-00000000-bbb0"]),
        ("GPU-00000001", ["GPU-00000001-aaaa"]),
        ("MIG-00000000-bbb0", ["MIG-00000000-bbb0"]),
        ("MIG-GPU-00000000-aaaa/7/0", ["MIG-00000000-bbb0"]),
        ("1,5,0", ["GPU-00000001-aaaa"]),
        ("", []),
        ("-1", []),
        ("1,1", []),
        ("GPU-0000", []),
        ("NoDevFiles", []),
    ],
)
def test_only_gpus_that_cuda_would_show(
    driver: Driver, probe: Probe, setting: str, uuids: list[str]
) -> None:
    driver.set({"mig.0": 1})
    probe.new(setting)
    sampled = probe.sample(0)
    assert [gpu.uuid for gpu in sampled.gpus] == uuids
    assert bool(sampled.problem) == (not uuids)


def test_all_gpus_are_visible_without_a_setting() -> None:
    devices = [Device(uuid="GPU-a", index=0), Device(uuid="GPU-b", index=1)]
    assert visible(devices, None) == devices


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x0, []),
        (0x1, []),  # idle
        (0x10, []),  # in step with others
        (0x44, ["too hot (hardware)", "power cap"]),
        (0xAA, ["too hot", "power brake", "hardware slowdown", "clocks set by the user"]),
        (1 << 40, []),  # of a driver to come
    ],
)
def test_what_holds_the_clocks_down_is_said_in_words(
    driver: Driver, probe: Probe, bits: int, words: list[str]
) -> None:
    driver.set({"reasons": bits})
    assert probe.sample(0).gpus[0].throttling == words
