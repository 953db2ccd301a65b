"""Folders of sounds, and how sounds become clips: rates, channels, lengths, and what goes wrong."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import _sound_files, audio_folder, oneshots_mini
from backends.datasets._clips import LOUDEST, Clips, windows
from backends.datasets._resample import resample
from backends.datasets._resolve import load_dataset, resolve
from backends.datasets._sound_files import send_sound
from backends.datasets._sounds import Sound, looks_like_sound, sound_of
from backends.nets import mulaw

LENGTH = 256


def sine(count: int, rate: int, hertz: float, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hertz * np.arange(count) / rate)


def record(path: Path, samples: Any = None, rate: int = 8000, **form: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sine(LENGTH, rate, 440) if samples is None else samples, rate, **form)
    return path


def load(folder: Path, share: float = 0.1, **knobs: Any) -> Dataset:
    config = audio_folder.Config(**{"length": LENGTH, **knobs})
    return audio_folder.load(config, folder, share)


def clips(dataset: Dataset) -> tuple[Clips, Clips]:
    train, held = dataset.train, dataset.validation
    assert isinstance(train, Clips)
    assert isinstance(held, Clips)
    return train, held


# --------------------------------------------------------------------------- resampling


@pytest.mark.parametrize(
    ("before", "after"),
    [(44100, 8000), (16000, 8000), (8000, 16000), (48000, 22050), (11025, 8000), (44101, 8000)],
)
@pytest.mark.parametrize("hertz", [60.0, 997.0, 3300.0])
def test_a_sine_stays_the_sine(before: int, after: int, hertz: float) -> None:
    x = torch.from_numpy(sine(before // 4, before, hertz))
    y = resample(x, before, after)
    assert len(y) == math.ceil(len(x) * after / before)
    wanted = torch.from_numpy(sine(len(y), after, hertz)).float()
    inner = slice(100, -100)  # at its ends the sound comes from nothing
    # A ratio of 44,101 to 8,000 is taken to within 2e-6, and so the sine is late in the end.
    assert torch.allclose(y[inner], wanted[inner], atol=5e-3 if before == 44101 else 3e-4)


def test_what_the_lower_rate_cannot_hold_is_taken_out() -> None:
    x = torch.from_numpy(sine(44100, 44100, 6000))
    assert resample(x, 44100, 8000)[100:-100].abs().max() < 1e-4 * 0.5


@settings(max_examples=20, deadline=None)
@given(level=st.floats(-1, 1), before=st.sampled_from([8000, 44100]), after=st.integers(2000, 9000))
def test_a_constant_stays_what_it_is(level: float, before: int, after: int) -> None:
    y = resample(torch.full((4000,), level), before, after)
    inner = y[len(y) // 3 : -len(y) // 3]
    assert torch.allclose(inner, torch.full_like(inner, level), atol=1e-4)


def test_the_same_rate_changes_nothing() -> None:
    x = torch.randn(50)
    assert resample(x, 8000, 8000) is x
    assert len(resample(x[:0], 44100, 8000)) == 0


# --------------------------------------------------------------------------- µ-law


def test_codes_come_back_and_silence_is_exact() -> None:
    codes = torch.arange(1, 256)
    assert torch.equal(mulaw.encode(mulaw.decode(codes)), codes)
    assert mulaw.decode(torch.tensor([mulaw.SILENCE])).item() == 0
    x = torch.linspace(-1, 1, 999)
    error = (mulaw.decode(mulaw.encode(x)) - x).abs()
    # Half a step of the companded scale, at the slope that the curve has at x.
    assert (error <= 0.5 / 127 * (1 / 255 + x.abs()) * math.log(256) * 1.03 + 1e-6).all()
    assert mulaw.encode(torch.tensor([-9.0, 9.0])).tolist() == [1, 255]


# --------------------------------------------------------------------------- clips


@pytest.mark.parametrize(
    ("samples", "expected"), [(10, 1), (100, 1), (149, 1), (150, 2), (200, 2), (249, 2), (250, 3)]
)
def test_a_sound_is_cut_and_its_rest_filled_up(samples: int, expected: int) -> None:
    cut = windows(torch.full((samples,), 0.5), 100)
    assert cut.shape == (expected, 100)
    assert cut.dtype == np.int16
    assert (cut != 0).sum() == min(samples, expected * 100)


def test_silent_stretches_are_left_out() -> None:
    sound = torch.cat([torch.full((100,), 0.5), torch.zeros(300), torch.full((100,), 0.25)])
    assert windows(sound, 100)[:, 0].tolist() == [round(0.5 * LOUDEST), round(0.25 * LOUDEST)]


def test_clips_are_in_range_and_keep_their_labels() -> None:
    waves = torch.tensor([[-32768, 32767, 0], [1, 2, 3]], dtype=torch.int16)
    x, y = Clips(waves, torch.tensor([4, 7])).fetch(torch.tensor([1, 0]), torch.zeros(2), 0)
    assert x.shape == (2, 1, 3)
    assert x[1, 0].tolist() == [-1, 1, 0]
    assert y is not None
    assert y.tolist() == [7, 4]


# --------------------------------------------------------------------------- files


def hear(path: Path, rate: int) -> Sound:
    """What a decoder and its parent make of a file."""
    data = bytearray()
    assert not send_sound(path, data.extend)
    sound = sound_of(path, data, rate)
    assert isinstance(sound, Sound)
    return sound


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x.wav", {"subtype": "PCM_16"}),
        ("x.wav", {"subtype": "PCM_U8"}),
        ("x.wav", {"subtype": "PCM_24"}),
        ("x.wav", {"subtype": "FLOAT"}),
        ("x.wav", {"subtype": "ULAW"}),
        ("x.flac", {}),
        ("x.ogg", {}),
        ("x.aiff", {}),
        ("x", {"format": "WAV"}),
        ("x", {"format": "FLAC"}),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_form_is_heard(
    tmp_path: Path, name: str, form: dict[str, Any], channels: int
) -> None:
    samples = np.repeat(sine(8820, 44100, 400)[:, None], channels, axis=1)
    heard = hear(record(tmp_path / name, samples, 44100, **form), 8000)
    assert len(heard.samples) == 1600
    wanted = torch.from_numpy(sine(1600, 8000, 400)).float()
    rough = 0.05 if name.endswith("ogg") else 0.011
    assert (heard.samples - wanted)[200:-200].abs().max() < rough


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, right = sine(4000, 8000, 300), sine(4000, 8000, 500)
    path = record(tmp_path / "x.wav", np.stack([left, right], 1), 8000, subtype="FLOAT")
    heard = hear(path, 8000)
    assert torch.allclose(heard.samples, torch.from_numpy((left + right) / 2).float(), atol=1e-6)


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for i in range(6):
        record(tmp_path / ("low" if i % 2 else "high") / f"{i}.wav", sine(600, 8000, 300 + 99 * i))
    record(tmp_path / "loose.wav")
    data = load(tmp_path)
    assert data.shape.classes == ("high", "low")
    assert data.shape.size == (1, LENGTH)
    assert data.shape.rate == 8000
    assert data.shape.modality == "audio"
    assert data.notices == (f"1 sound beside the class folders of {tmp_path} left out",)
    train, held = clips(data)
    assert train.labels is not None
    assert held.labels is not None
    assert torch.cat([train.labels, held.labels]).bincount().tolist() == [6, 6]  # 2 clips a file


@settings(max_examples=10, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=6), share=st.floats(0.01, 0.5))
def test_no_file_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], share: float
) -> None:
    """Every file has a level of its own, which tells where its clips went."""
    folder = tmp_path_factory.mktemp("files")
    for i, count in enumerate(counts):
        record(folder / f"{i}.wav", np.full(count * LENGTH, 0.1 * (i + 1)))
    train, held = clips(load(folder, share))
    levels = [{int(w[0]) for w in part.waves} for part in (train, held)]
    assert levels[0]
    assert levels[1]
    assert not levels[0] & levels[1]
    assert len(train) + len(held) == sum(counts)


def test_of_a_single_file_the_end_is_held_out(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0.1, 0.9, 10), LENGTH)
    train, held = clips(load(record(tmp_path / "one.wav", ramp), 0.2))
    assert (len(train), len(held)) == (8, 2)
    assert held.waves.min() > train.waves.max()


# --------------------------------------------------------------------------- what goes wrong


def test_what_cannot_be_used_is_skipped_and_named(tmp_path: Path) -> None:
    for i in range(4):
        record(tmp_path / f"good{i}.wav")
    record(tmp_path / "hush.wav", np.zeros(999))
    record(tmp_path / "none.wav", np.zeros(0))
    record(tmp_path / "nan.wav", np.array([0.1, np.nan]), subtype="FLOAT")
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "cut.flac").write_bytes(record(tmp_path / "whole.flac").read_bytes()[:60])
    data = load(tmp_path)
    assert len(data.train) + len(data.validation) == 5
    (notice,) = data.notices
    assert notice.startswith(
        f"5 files of {tmp_path} skipped: cut.flac (damaged), hush.wav (silent)"
    )
    assert "\n" not in notice


def test_clipped_files_are_used_and_named(tmp_path: Path) -> None:
    for name, peak in (("clean", 0.99), ("loud", 3.0)):
        record(tmp_path / f"{name}.wav", np.clip(sine(4000, 8000, 200, peak), -1, 1))
    data = load(tmp_path)
    assert data.notices == (f"1 file of {tmp_path} clipped, used as it is: loud.wav",)
    assert len(data.train) + len(data.validation) == 32


def test_links_and_special_files_are_not_opened(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    for i in range(3):
        record(folder / f"{i}.wav")
    (folder / "link.wav").symlink_to(record(tmp_path / "outside.wav"))
    os.mkfifo(folder / "pipe.wav")
    data = load(folder)
    assert len(data.train) + len(data.validation) == 3
    assert data.notices == (
        f"links and special files of {folder} are not opened: link.wav, pipe.wav",
    )


def test_a_folder_without_sounds_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("words")
    with pytest.raises(DataError, match="holds no sound"):
        load(tmp_path)
    record(tmp_path / "x.wav", np.zeros(99))
    with pytest.raises(DataError, match=r"none of the sounds in .* can be used: x.wav \(silent\)"):
        load(tmp_path)
    record(tmp_path / "x.wav")
    with pytest.raises(DataError, match="1 clip, and 1 must be held out"):
        load(tmp_path)
    with pytest.raises(DataError, match="needs a path"):
        audio_folder.load(audio_folder.Config(), None, 0.1)


def test_more_than_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_folder, "MEMORY", 5 * LENGTH)
    for i in range(4):
        record(tmp_path / f"{i}.wav")
    with pytest.raises(DataError, match="lower rate"):
        load(tmp_path)


def test_a_sound_that_goes_on_and_on_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sound_files, "SAMPLES", 1000)
    path = record(tmp_path / "long.wav", sine(70_000, 8000, 50))
    assert send_sound(path, bytearray().extend) == "longer than 1,000 samples"


# --------------------------------------------------------------------------- what fits


def test_a_folder_of_sounds_is_found_by_its_files(tmp_path: Path) -> None:
    record(tmp_path / "sounds" / "deep" / "a.wav")
    record(tmp_path / "bare" / "a", format="WAV")
    assert resolve(str(tmp_path / "sounds"), "audio")[0] == "audio-folder"
    assert resolve(str(tmp_path / "bare"), "audio")[0] == "audio-folder"
    assert resolve(str(tmp_path / "sounds" / "deep" / "a.wav"), "audio")[0] == "audio-folder"
    with pytest.raises(DataError, match="holds sounds, but the model learns pictures"):
        resolve(str(tmp_path / "sounds"), "image")
    (tmp_path / "sounds" / "notes.txt").write_text("words")
    assert resolve(str(tmp_path / "sounds"), "text")[0] == "text-file"


@pytest.mark.parametrize("begin", [b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"", b"a text"])
def test_other_files_are_no_sounds(begin: bytes) -> None:
    assert not looks_like_sound(begin)


# --------------------------------------------------------------------------- the embedded set


@pytest.mark.parametrize("rate", [2000, 8000, 16000])
def test_the_one_shots(rate: int) -> None:
    data = load_dataset("oneshots-mini", "audio", {"rate": rate, "length": rate // 2}, 0.1, 4)
    train, held = clips(data)
    assert (len(train), len(held)) == (88, 10)
    assert data.shape.classes == ("bd", "drum", "elec", "perc", "sn", "tabla")
    assert train.labels is not None
    assert held.labels is not None
    assert torch.cat([train.labels, held.labels]).bincount().tolist() == [13, 20, 25, 10, 4, 26]
    peaks = train.waves.abs().amax(1) / LOUDEST
    assert peaks.median() > 0.5
    assert oneshots_mini.EMBEDDED
