"""The generators of sound: causality, queues, spectrograms and the way back, files of samples."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from backends import samples, waveforms
from backends.autoregressive.audio import Audio
from backends.diffusion.audio import AudioFlow
from backends.knobs import ConfigError, configure
from backends.model import Batch, DataShape, Model, RequestError, Samples
from backends.nets import mulaw
from backends.nets.mel import FLOOR, MelSpectrogram, mel_filters
from backends.nets.wavenet import BLOCK, WaveNet
from backends.records import SampleRequest
from genai_tui import sample_files

L, RATE = 256, 8000
SHAPE = DataShape("audio", (1, L), ("low", "high"), rate=RATE)


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def stirred(module: nn.Module, scale: float = 0.3) -> Any:
    """``module`` with weights that have moved, so that nothing is zero any more."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=noise))
    return module.eval()


def wavenet(layers: int = 3, stacks: int = 2, classes: int = 2, clock: int = 200) -> WaveNet:
    net = WaveNet(256, width=4, layers=layers, stacks=stacks, classes=classes, clock=clock)
    return stirred(net)


def build(kind: type[Model], shape: DataShape = SHAPE, **knobs: object) -> Model:
    tiny = {"width": 8, "layers": 4} if kind is Audio else {"width": 8, "mels": 16, "levels": 2}
    return kind(configure(kind.Config, tiny | knobs), shape)


def sines(count: int, length: int = L) -> Batch:
    """Tones of two pitches, the label says which."""
    y = torch.arange(count) % 2
    t = (torch.arange(length) + 0.5) / RATE  # so that no sample is exactly zero
    x = 0.5 * torch.sin(2 * math.pi * (500 * (1 + y))[:, None] * t)
    return Batch(x[:, None], y, torch.Generator().manual_seed(0), 0.5)


@torch.no_grad()
def draw(model: Model, **asked: Any) -> Samples:
    request = SampleRequest(**{"count": 3, **asked})
    model.check(request)
    noise = torch.Generator().manual_seed(request.seed)
    return model.eval().sample(request, noise)


def waves(model: Model, **asked: Any) -> Tensor:
    audio = draw(model, **asked).audio
    assert audio is not None
    return audio


# --------------------------------------------------------------------------- WaveNet


@settings(max_examples=15, deadline=None)
@given(layers=st.integers(1, 5), stacks=st.integers(1, 2), at=st.integers(0, 129))
@torch.no_grad()
def test_no_output_sees_what_comes_after(layers: int, stacks: int, at: int) -> None:
    net, ids = wavenet(layers, stacks), torch.randint(256, (1, 130))
    other = ids.clone()
    other[:, at] = (other[:, at] + 100) % 256
    y = torch.tensor([1])
    changed = (net(ids, y) - net(other, y)).abs().amax(2)[0] > 1e-6
    assert not changed[:at].any()
    assert changed[at]
    assert not changed[at + net.reach :].any()


@torch.no_grad()
def test_the_oldest_token_within_reach_still_counts() -> None:
    net = wavenet(layers=4, stacks=1)
    assert net.reach == 16
    ids = torch.randint(256, (1, 64))
    other = ids.clone()
    other[:, 10] = (other[:, 10] + 100) % 256
    y = torch.tensor([0])
    moved = (net(ids, y) - net(other, y)).abs().amax(2)[0]
    assert moved[10 + 15] > 1e-6
    assert moved[10 + 16] == 0


@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("clock", [0, 100])
@pytest.mark.parametrize("stacks", [1, 2])
@torch.no_grad()
def test_step_by_step_it_is_the_whole_network(classes: int, clock: int, stacks: int) -> None:
    """Beyond the clock too, where it stands still."""
    net = wavenet(layers=4, stacks=stacks, classes=classes, clock=clock)
    ids, y = torch.randint(256, (3, 150)), torch.tensor([0, 1, 1]) if classes else None
    memory = net.memory(3)
    steps = [net.step(ids[:, t], y, memory) for t in range(150)]
    assert torch.allclose(torch.stack(steps, 1), net(ids, y), atol=1e-4)
    assert memory.length == 150
    assert [len(queue) for queue in memory.queues] == [1, 2, 4, 8] * stacks


@torch.no_grad()
def test_class_and_clock_are_heard() -> None:
    net, ids = wavenet(), torch.full((1, 3 * BLOCK), 128)
    low, high = net(ids, torch.tensor([0])), net(ids, torch.tensor([1]))
    assert (low - high).abs().max() > 1e-3
    late = net.reach  # from here on all that is seen is equal, but for the clock
    assert torch.allclose(low[0, late : BLOCK - 1], low[0, late].expand(BLOCK - 1 - late, -1))
    assert (low[0, BLOCK - 1] - low[0, 2 * BLOCK - 1]).abs().max() > 1e-3


def test_an_untrained_net_needs_eight_bits() -> None:
    losses = build(Audio).loss(sines(2))
    assert losses["loss"].item() == pytest.approx(math.log(256), abs=1e-4)
    assert losses["bits_per_sample"].item() == pytest.approx(8, abs=1e-4)
    assert losses["bits_while_sounding"].item() == pytest.approx(8, abs=1e-4)


def test_bits_while_sounding_leave_out_the_silence_after() -> None:
    """A net that knows nothing but silence needs none for silence and many for all else."""
    model = build(Audio)
    assert isinstance(model, Audio)
    model.net.out.bias.data[mulaw.SILENCE] = math.log(255)  # half of the probability
    x = torch.zeros(1, 1, L)
    x[..., :BLOCK] = 0.5
    losses = model.loss(Batch(x, torch.tensor([0]), torch.Generator()))
    assert losses["bits_while_sounding"].item() == pytest.approx(1 + math.log2(255), abs=1e-3)
    quarter = (1 + math.log2(255)) / 4 + 3 / 4
    assert losses["bits_per_sample"].item() == pytest.approx(quarter, abs=1e-3)


def test_it_learns_two_tones_by_their_labels() -> None:
    model, batch = build(Audio, width=16, layers=5), sines(2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(90):
        optimizer.zero_grad()
        loss = model.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7  # of 5.5
    drawn = waves(model, count=2, temperature=0)
    crossings = (drawn[:, 1:].sign() * drawn[:, :-1].sign() < 0).sum(1)
    # Tones of 500 and of 1,000 Hz cross zero 32 and 64 times in 256 samples at 8 kHz.
    assert abs(crossings[0] - 32) <= 4
    assert abs(crossings[1] - 64) <= 8


def test_sounds_are_drawn_as_asked() -> None:
    model = stirred(build(Audio))
    drawn = draw(model, count=5, labels=[1, 0])
    assert drawn.audio is not None
    assert drawn.audio.shape == (5, L)
    assert drawn.audio.abs().max() <= 1
    assert (drawn.rate, drawn.labels) == (RATE, [1, 0, 1, 0, 1])
    assert waves(model, length=7).shape == (3, 7)
    assert waves(model, length=2 * L).shape == (3, 2 * L)


def test_the_same_seed_draws_the_same_sounds() -> None:
    model = stirred(build(Audio))
    first = waves(model, seed=3, length=50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(waves(model, seed=3, length=50), first)
    assert not torch.equal(waves(model, seed=4, length=50), first)
    greedy = waves(model, seed=3, length=50, top_k=1)
    assert torch.equal(waves(model, seed=4, length=50, temperature=0), greedy)


@pytest.mark.parametrize("length", [0, 2**20])
def test_a_length_that_cannot_be_drawn_is_refused(length: int) -> None:
    with pytest.raises(RequestError, match="length must be at least 1 and at most 262144"):
        draw(build(Audio), length=length)


@pytest.mark.parametrize("kind", [Audio, AudioFlow])
def test_labels_are_optional(kind: type[Model]) -> None:
    model = build(kind, DataShape("audio", (1, L), rate=RATE))
    x = sines(2)
    assert model.validation(Batch(x.x, None, x.generator))["loss"] > 0
    assert draw(model, count=2).labels == []
    blind = build(kind, conditional=False)
    with pytest.raises(RequestError, match="without labels"):
        draw(blind, labels=[0])


@pytest.mark.parametrize("kind", [Audio, AudioFlow])
def test_pictures_are_refused(kind: type[Model]) -> None:
    with pytest.raises(ConfigError, match="learns from sounds, not from image data"):
        kind(kind.Config(), DataShape("image", (1, 16, 16)))


# --------------------------------------------------------------------------- mel spectrograms


@pytest.mark.parametrize("rate", [4000, 8000, 22050])
@pytest.mark.parametrize("mels", [16, 32, 64])
def test_the_filters_cover_all_frequencies(rate: int, mels: int) -> None:
    filters = mel_filters(rate, mels, 129)
    assert (filters >= 0).all()
    assert torch.allclose(filters.sum(1), torch.ones(mels), atol=1e-6)
    assert (filters.sum(0)[1:-1] > 0).all()  # but for the two ends, which are corners
    peaks = filters.argmax(1)
    assert (peaks.diff() >= 0).all()


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 3000.0])
def test_a_tone_is_brightest_in_its_filter(hertz: float) -> None:
    mel = MelSpectrogram(RATE, 32)
    x = torch.sin(2 * math.pi * hertz * torch.arange(2048) / RATE)[None]
    picture = mel(x)[0, :, 8]
    center = (mel.filters * torch.linspace(0, RATE / 2, 129)).sum(1)  # Hz of each filter
    assert abs(int(picture.argmax()) - int((center - hertz).abs().argmin())) <= 1


def test_pictures_are_in_range_and_silence_is_black() -> None:
    mel = MelSpectrogram(RATE, 32)
    assert torch.equal(mel(torch.zeros(1, 512)), torch.full((1, 32, 8), -1.0))
    loud = mel(torch.sin(2 * math.pi * 440 * torch.arange(4096) / RATE)[None])
    assert loud.shape == (1, 32, 64)
    assert -1 <= loud.min() < loud.max() <= 1
    half = mel(0.5 * torch.sin(2 * math.pi * 440 * torch.arange(4096) / RATE)[None])
    # Halving the sound lowers what is above the floor by ln 2, on a scale of ln(1 / FLOOR) / 2.
    assert (loud - half).max().item() == pytest.approx(2 * math.log(2) / -math.log(FLOOR), abs=0.01)
    hush = mel.wave(torch.full((1, 32, 8), -1.0), torch.Generator().manual_seed(0))
    assert hush.abs().max() == 0


def test_with_the_true_phases_the_sound_comes_back() -> None:
    mel, x = MelSpectrogram(RATE, 32), 0.3 * torch.randn(2, 1024)
    back = mel._inverted(mel.spectrum(x), 1024)
    assert torch.allclose(back[:, :-128], x[:, :-128], atol=1e-4)  # the end lacks a frame


def chord(length: int = 4096) -> Tensor:
    """C, E and G of a middle octave, dying away."""
    t = torch.arange(length) / RATE
    tones = [torch.sin(2 * math.pi * hertz * t) for hertz in (261.6, 329.6, 392.0)]
    return (0.3 * torch.stack(tones).sum(0) * torch.exp(-3 * t))[None]


def test_griffin_lim_finds_phases_for_a_chord() -> None:
    """Spectral convergence ||S| - |STFT(x)|| / |S| falls, to below 0.2 after 64 rounds."""
    mel = MelSpectrogram(RATE, 64)
    picture = mel(chord())
    wanted = mel.magnitudes(picture)

    def convergence(steps: int) -> float:
        waves = [mel.wave(picture, torch.Generator().manual_seed(i), steps) for i in range(3)]
        found = mel.spectrum(torch.cat(waves)).abs()
        return float(((found - wanted).norm(dim=(1, 2)) / wanted.norm()).mean())

    errors = [convergence(steps) for steps in (1, 8, 64)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < min(0.2, errors[0] / 2)
    wave = mel.wave(picture, torch.Generator().manual_seed(0))
    assert wave.shape == (1, 4096)
    assert (mel(wave) - picture).abs().mean() < 0.02
    ratio = wave.square().mean() / chord().square().mean()
    assert 0.7 < ratio < 1.4


# --------------------------------------------------------------------------- spectrogram flow


@pytest.mark.parametrize(("length", "hop", "frames"), [(256, 64, 4), (300, 64, 6), (4096, 16, 256)])
def test_any_length_is_drawn(length: int, hop: int, frames: int) -> None:
    shape = DataShape("audio", (1, length), ("low", "high"), rate=RATE)
    model = build(AudioFlow, shape, hop=hop, phases=2)
    assert isinstance(model, AudioFlow)
    seen = model.seen(sines(2, length)).x
    assert seen.shape == (2, 1, 16, frames)
    drawn = draw(model, count=3, labels=[1], steps=1)
    assert drawn.audio is not None
    assert drawn.audio.shape == (3, length)
    assert drawn.audio.abs().max() <= 1
    assert (drawn.rate, drawn.labels) == (RATE, [1, 1, 1])


def test_the_flow_learns_from_spectrograms() -> None:
    model, batch = build(AudioFlow), sines(8)
    assert isinstance(model, AudioFlow)
    (phase,) = model.phases()
    losses = phase.loss(batch)
    losses["loss"].backward()
    assert all(p.grad is not None for p in model.parameters())
    again = Batch(batch.x, batch.y, torch.Generator().manual_seed(0), 0.5)
    assert phase.loss(again)["loss"] == losses["loss"]
    assert "straightness" in model.validation(batch)


def test_mels_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ConfigError, match="mels 20 must be a multiple of 8"):
        configure(AudioFlow.Config, {"mels": 20, "levels": 4})


def test_neither_sounds_nor_pictures_can_be_given() -> None:
    with pytest.raises(RequestError, match="cannot be asked for image"):
        draw(build(AudioFlow), image="x.png")
    with pytest.raises(RequestError, match="cannot be asked for prompt"):
        draw(build(Audio), prompt="x")


# --------------------------------------------------------------------------- files


def test_sounds_become_files_and_pictures(tmp_path: Path) -> None:
    x = torch.stack([chord()[0], 3 * chord()[0], torch.zeros(4096)])
    drawn = Samples(audio=x, rate=RATE, labels=[1, 0, 1], captions=["a", "b", "c"])
    assert samples.write(tmp_path / "s", drawn, SampleRequest(count=3)) == 3
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == sorted(
        [f"{i:03d}.{ending}" for i in range(3) for ending in ("png", "wav")]
        + ["grid.png", "request.json"]
    )
    for i in range(3):
        back, rate = soundfile.read(tmp_path / "s" / f"{i:03d}.wav")
        assert rate == RATE
        assert soundfile.info(tmp_path / "s" / f"{i:03d}.wav").subtype == "PCM_16"
        assert np.abs(back - x[i].clamp(-1, 1).numpy()).max() < 1e-4
    told = json.loads((tmp_path / "s" / "request.json").read_bytes())
    assert told["captions"] == ["a", "b", "c"]
    assert told["labels"] == [1, 0, 1]
    files = sample_files.find(tmp_path, "s")
    assert [path.name for path in files.pictures] == ["000.png", "001.png", "002.png"]
    assert files.grid == tmp_path / "s" / "grid.png"
    assert not files.texts


@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, 2000), level=st.floats(-2, 2))
def test_any_sound_has_a_picture_of_one_size(length: int, level: float) -> None:
    tile = waveforms.tile(np.full(length, level))
    assert tile.shape == (96, 128, 3)
    assert tile.dtype == np.uint8
    row = round((waveforms.WAVE - 1) / 2 * (1 - min(1, max(-1, level))))
    assert (tile[row, : waveforms.WIDTH, 2] > 200).all()  # the line is where the level is


def test_pictures_of_what_is_not_finite_are_pictures() -> None:
    assert waveforms.tile(np.array([np.nan, np.inf, 0.0])).shape == (96, 128, 3)


@pytest.mark.parametrize("hertz", [500.0, 2000.0, 3500.0])
def test_a_tone_is_a_line_at_its_height(hertz: float) -> None:
    x = np.sin(2 * np.pi * hertz * np.arange(4096) / RATE)
    picture = waveforms.spectrogram(x).astype(int).sum(2)  # [SPECTRUM, WIDTH]
    row = int(picture[:, waveforms.WIDTH // 2].argmax())
    expected = waveforms.SPECTRUM * (1 - hertz / (RATE / 2))
    assert abs(row - expected) <= 2
    assert waveforms.spectrogram(np.zeros(4096)).max() <= 4
