"""Alerts: silent on healthy curves, and each of them heard when its fault is planted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from build_runs import NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from backends.records import Checkpoint, Phase, RunSpec, Start, Status, Step, scalar
from genai_tui.alerts.alert import KINDS, Alert, Situation
from genai_tui.alerts.found import alerts
from genai_tui.history import History
from genai_tui.store import Seen, Summary
from genai_tui.telemetry.record import Gpu, Host, Telemetry

Curve = Sequence[float] | np.ndarray
EVERY = 10


def situation(
    *,
    of: int = 0,
    state: Seen = "running",
    device: str = "cpu",
    rates: dict[str, Curve] | None = None,
    telemetry: Sequence[Telemetry] = (),
    now: float | None = None,
    phase: str = "training",
    config: dict[str, object] | None = None,
    status: Status | None = None,
    **values: Any,
) -> Situation:
    """A run that has logged these curves every ten steps, a second apart."""
    curves: dict[str, Curve] = {key.replace("__", "/"): curve for key, curve in values.items()}
    rates = rates or {}
    n = max(map(len, [*curves.values(), *rates.values()]), default=0)
    history = History()
    history.fold([Start(step=0, t=NOW, attempt=1, of=of or 10 * EVERY * n, device=device)])
    history.fold([Phase(step=0, t=NOW, name=phase)])
    history.fold(
        Step(
            step=EVERY * (i + 1),
            t=NOW + i,
            values={key: scalar(float(c[i])) for key, c in curves.items() if i < len(c)},
            rates={key: scalar(float(c[i])) for key, c in rates.items() if i < len(c)},
        )
        for i in range(n)
    )
    status = status or Status(state="running", step=EVERY * n, of=of, phase=phase)
    summary = Summary("id", "name", "m", "d", NOW, state, status)
    spec = RunSpec(id="id", name="name", model="m", dataset="d", model_config=config or {})  # pyright: ignore[reportArgumentType]
    return Situation(history, summary, NOW + n if now is None else now, telemetry, spec)


def kinds(s: Situation) -> list[str]:
    return [alert.kind for alert in alerts(s)]


def the(kind: str, s: Situation) -> Alert:
    """The only alert there is, which must be of that kind."""
    found = alerts(s)
    assert [alert.kind for alert in found] == [kind], found
    assert all((found[0].evidence, found[0].cause, found[0].action))
    return found[0]


def falling(n: int, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """A loss as they fall, slower and slower, with noise."""
    dice = np.random.default_rng(seed)
    return 0.2 + 0.8 / np.sqrt(1 + np.arange(n) / 20) + dice.normal(0, noise, n)


# ---------------------------------------------------------------------------- silence


@settings(max_examples=50)
@given(st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(1, 400))
def test_a_constant_is_no_alarm(value: float, n: int) -> None:
    curve = np.full(n, value)
    keys: dict[str, Any] = {
        "loss": curve,
        "grad_norm": np.abs(curve) + 1,
        "validation__loss": curve,
        "kl": curve,
    }
    assert kinds(situation(**keys)) == []


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.floats(0, 0.05),
    st.floats(1e-3, 1e3),
    st.integers(20, 1500),
    st.floats(1.0, 10.0),
)
def test_a_loss_that_converges_is_no_alarm(
    seed: int, noise: float, scale: float, n: int, ahead: float
) -> None:
    curve = scale * falling(n, noise, seed)
    shown = situation(loss=curve, validation__loss=curve[::10] * 1.1, of=int(ahead * EVERY * n))
    assert kinds(shown) == []
    assert kinds(replace(shown, summary=structs.replace(shown.summary, state="stopped"))) == []


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_two_networks_at_war_are_no_alarm(seed: int) -> None:
    dice = np.random.default_rng(seed)
    t = np.arange(600)
    noise = dice.normal(0, 0.1, (2, 600))
    shown = situation(
        G__loss=1.2 + 0.6 * np.sin(t / 60) + noise[0],
        D__loss=0.6 + 0.3 * np.cos(t / 60) + noise[1],
        D__sign=0.6 + noise[0],
        validation__diversity=0.9 + noise[1][:20] / 10,
    )
    assert kinds(shown) == []


def test_nothing_is_known_and_nothing_is_wrong() -> None:
    assert alerts(situation(state="starting")) == []


# ---------------------------------------------------------------------------- curves


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_number_that_is_none_is_named_and_where_to_go_back_to(value: float) -> None:
    curve = falling(60)
    curve[40:] = value
    shown = situation(loss=curve)
    shown.history.fold(
        [Checkpoint(step=300, t=NOW, path="x"), Checkpoint(step=500, t=NOW, path="y")]
    )
    found = the("nan", shown)
    assert (found.level, found.step, found.t) == ("critical", 410, NOW + 40)
    assert "from step 300" in found.action
    assert "20 of the last 60" in found.evidence


@settings(max_examples=20)
@given(st.integers(60, 990), st.integers(0, 1000))
def test_a_jump_above_the_noise_is_a_spike_where_it_happened(at: int, seed: int) -> None:
    curve = falling(1000, seed=seed)
    curve[at] *= 4
    found = the("spike", situation(loss=curve))
    assert found.step == EVERY * (at + 1)
    assert found.place == str(found.step)


def test_two_jumps_far_apart_are_two_and_near_ones_are_one() -> None:
    curve = falling(1000)
    curve[[200, 205, 600]] = 5
    found = alerts(situation(loss=curve))
    assert [alert.step for alert in found] == [6010, 2010]


def test_gradients_that_explode_and_that_vanish() -> None:
    norms = np.full(300, 2.0)
    norms[250] = 900
    found = the("gradients", situation(grad_norm=norms))
    assert "900" in found.evidence
    assert "clip_grad=6" in found.action
    norms = np.full(300, 2.0)
    norms[200:] = 1e-9
    assert "below 1e-07" in the("gradients", situation(D__grad_norm=norms)).evidence


def test_a_loss_that_lost_what_it_gained_has_diverged() -> None:
    curve = np.concatenate([falling(500), np.linspace(0.35, 1.5, 300)])
    found = the("divergence", situation(loss=curve))
    assert found.level == "critical"
    assert 4000 <= found.step <= 5100


def test_a_loss_whose_kl_is_faded_in_has_not_diverged() -> None:
    curve = np.concatenate([falling(500), np.linspace(0.35, 1.5, 300)])
    curve = np.minimum(curve, 1.0)
    rising = situation(loss=curve, of=8000, config={"warmup": 0.9})
    assert kinds(rising) == []
    exploded = np.concatenate([falling(500), np.full(300, 40.0)])
    found = kinds(situation(loss=exploded, of=8000, config={"warmup": 0.9}))
    assert found == ["divergence", "spike"]


def test_a_loss_that_stopped_falling_is_a_plateau_while_much_is_ahead() -> None:
    dice = np.random.default_rng(0)
    curve = np.concatenate([np.linspace(1, 0.3, 100), np.full(400, 0.3)]) + dice.normal(
        0, 0.01, 500
    )
    found = the("plateau", situation(loss=curve, of=20_000))
    assert "75%" in found.action
    assert kinds(situation(loss=curve, of=5500)) == []  # the end is near
    low = np.concatenate([np.full(400, 1e-3), np.full(100, 1e-5)])
    assert kinds(situation(loss=curve, lr=low, of=20_000)) == []  # it is meant to settle
    assert kinds(situation(loss=curve, of=20_000, state="finished", status=Status())) == [
        "finished"
    ]


def test_a_validation_loss_that_rises_while_the_training_falls() -> None:
    found = the(
        "overfitting", situation(loss=falling(100), validation__loss=[1, 0.8, 0.85, 0.9, 0.95])
    )
    assert found.step == 20
    both = situation(loss=np.linspace(1, 2, 10), validation__loss=[1, 0.8, 0.85, 0.9, 0.95])
    assert kinds(both) == []  # the task became harder


# ---------------------------------------------------------------------------- families


@pytest.mark.parametrize(("diversity", "level"), [(0.5, "warning"), (0.1, "critical")])
def test_pictures_that_are_all_alike(diversity: float, level: str) -> None:
    shown = situation(validation__diversity=[0.9, diversity + 0.01, diversity], of=60)
    assert the("mode-collapse", shown).level == level
    early = situation(validation__diversity=[diversity] * 3, of=3000)
    assert kinds(early) == []
    rising = situation(validation__diversity=[0.1, 0.3, 0.5], of=60)
    assert kinds(rising) == []


def test_a_latent_that_says_nothing() -> None:
    units: dict[str, Any] = {"active_units": np.full(50, 2.0), "kl": np.full(50, 5.0)}
    assert (
        the("posterior-collapse", situation(**units, config={"latent": 16}, of=600)).level
        == "warning"
    )
    gone: dict[str, Any] = {"active_units": np.zeros(50), "kl": np.full(50, 0.01)}
    assert (
        the("posterior-collapse", situation(**gone, config={"latent": 16}, of=600)).level
        == "critical"
    )
    faded = situation(**gone, config={"latent": 16, "warmup": 0.95}, of=600)
    assert kinds(faded) == []


def test_codes_that_nobody_uses() -> None:
    used = np.full(50, 20.0)
    ema = situation(perplexity=used, config={"quantizer": "ema", "codes": 256}, of=600)
    assert the("codebook", ema).level == "critical"
    fsq = situation(perplexity=used * 2, config={"quantizer": "fsq", "levels": "8-6-5"}, of=600)
    assert the("codebook", fsq).level == "warning"
    assert kinds(situation(perplexity=used, of=600)) == []


def test_a_discriminator_that_has_won_and_one_that_has_given_up() -> None:
    won = situation(D__sign=np.full(60, 0.99), D__loss=np.full(60, 0.01), of=700)
    assert (the("discriminator", won).level, the("discriminator", won).about) == (
        "critical",
        "D overpowers G",
    )
    idle = situation(D__sign=np.zeros(60), D__loss=np.full(60, math.log(2)), of=700)
    assert the("discriminator", idle).about == "D has given up"
    critic = situation(
        D__sign=np.ones(60), D__loss=np.zeros(60), D__wasserstein=np.ones(60), of=700
    )
    assert kinds(critic) == []


# ---------------------------------------------------------------------------- machine


def sample(t: float, *, busy: float = 90, used: int = 10, free: int = 10**12) -> Telemetry:
    card = Gpu(
        index=0, name="X", utilisation=busy, memory_used=used * 2**30, memory_total=80 * 2**30
    )
    host = Host(memory_used=10 * 2**30, memory_total=100 * 2**30, disk_free=free, disk_total=10**13)
    return Telemetry(t=t, gpus=[card], host=host)


def watched(seconds: int, **changes: object) -> list[Telemetry]:
    return [sample(NOW + t, **changes) for t in range(seconds)]  # pyright: ignore[reportArgumentType]


def test_a_run_that_stands_still_is_told_from_one_that_validates() -> None:
    assert the("stall", situation(loss=falling(40), now=NOW + 40 + 70)).level == "critical"
    assert kinds(situation(loss=falling(40), now=NOW + 40 + 50)) == []
    assert kinds(situation(loss=falling(40), now=NOW + 1000, phase="validating")) == []
    assert kinds(situation(loss=falling(40), now=NOW + 1000, state="paused")) == []


def test_a_gpu_that_does_nothing_while_the_run_trains_on_it() -> None:
    idle = watched(70, busy=1.0)
    shown = situation(loss=falling(70), device="cuda:0", telemetry=idle)
    shown.history.fold([Phase(step=0, t=NOW - 10, name="training")])
    assert the("gpu-idle", shown).about == "GPU0"
    assert kinds(replace(shown, telemetry=watched(70))) == []
    assert kinds(replace(shown, telemetry=idle[:30])) == []  # not for long enough
    on_cpu = situation(loss=falling(70), telemetry=idle)
    assert kinds(on_cpu) == []


def test_memory_that_is_nearly_full() -> None:
    shown = situation(loss=falling(20), device="cuda", telemetry=[sample(NOW + 20, used=78)])
    assert "78 of 80 GiB of GPU0" in the("memory", shown).evidence
    assert kinds(replace(shown, telemetry=[sample(NOW + 20, used=70)])) == []


def test_a_disk_that_fills() -> None:
    filling = [sample(NOW + t, free=10**11 - t * 10**8) for t in range(150)]
    found = the("disk", situation(loss=falling(150), telemetry=filling))
    assert (found.level, "full in 14 min" in found.evidence) == ("warning", True)
    assert kinds(situation(loss=falling(150), telemetry=filling[:60])) == []
    assert kinds(situation(loss=falling(150), telemetry=watched(150))) == []


def test_a_training_that_waits_for_its_data() -> None:
    assert "30%" in the("data-bound", situation(rates={"data_wait": [0.3] * 30})).evidence
    assert kinds(situation(rates={"data_wait": [0.05] * 30})) == []


def test_the_end_of_a_run_says_why_and_how_to_go_on() -> None:
    gone = Status(state="running", step=500, of=1000, signal=9, checkpoint=400, attempt=2)
    found = the("interrupted", situation(state="interrupted", status=gone))
    assert "signal 9" in found.evidence
    assert "from step 400" in found.action
    broke = Status(state="failed", reason="no space left", exit_code=74)
    assert the("failed", situation(state="failed", status=broke)).evidence == "no space left"
    done = Status(state="finished", of=1000)
    assert [(a.kind, a.level) for a in alerts(situation(state="finished", status=done))] == [
        ("finished", "info")
    ]
    assert alerts(situation(state="stopped", status=Status(state="stopped"))) == []


# ---------------------------------------------------------------------------- names


def test_an_alert_keeps_its_name_while_it_lasts_and_a_new_one_has_another() -> None:
    curve = falling(1000)
    curve[500] = 9
    early = the("spike", situation(loss=curve[:600]))
    late = the("spike", situation(loss=curve))
    assert early.id == late.id
    curve[800] = 9
    assert len({alert.id for alert in alerts(situation(loss=curve))}) == 2


def test_every_kind_says_what_it_is() -> None:
    assert all(text and text[0].islower() for text in KINDS.values())
