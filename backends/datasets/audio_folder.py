"""A folder of sounds of your own, WAV, FLAC, OGG or MP3; sub-folders are classes."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from backends import counting
from backends.data import Dataset, held_out
from backends.data_error import DataError
from backends.datasets._clips import Waves, clip_dataset, windows
from backends.datasets._decoders import Task, decoded
from backends.datasets._files import (
    MEMORY,
    Listing,
    counted,
    gib,
    listing,
    named,
    regular_files,
    required,
    shown,
    shut_notice,
)
from backends.datasets._folders import (
    Skipped,
    classes_of,
    classified,
    labels_of,
    loose_notice,
    skipped_notice,
    splits_notice,
    why,
)
from backends.datasets._sound_files import MOST_BYTES
from backends.datasets._sounds import Sound, is_sound, sound_of
from backends.knobs import Bounds

MODALITY = "audio"
EMBEDDED = False
NEEDS_PATH = True

_BATCH = 1  # sounds that a decoder gets at a time: each may be one of 512 MiB


@dataclass(frozen=True, kw_only=True)
class Config:
    rate: Annotated[
        int, "samples a second that sounds are brought to", Bounds(1000, 48000, "Hz")
    ] = 8000
    length: Annotated[int, "samples of a clip; sounds are cut to it", Bounds(256, 2**18)] = 4096


@dataclass(frozen=True, slots=True)
class Heard:
    """Clips of each file, the files, and what there is to say of them."""

    clips: list[Waves] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    clipped: list[Path] = field(default_factory=list)


def fits(path: Path) -> bool:
    """Whether ``path`` is a sound, or a folder with a sound in it."""
    return any(map(is_sound, regular_files(path))) if path.is_dir() else is_sound(path)


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Clips of every sound below ``path``; the names of two or more sub-folders become classes.

    No file has clips on both sides of the split. Of a single file the end is held out.
    """
    path = required(path, "a folder of sounds")
    found = listing(path) if path.is_dir() else Listing([path], [])
    folder = path if path.is_dir() else path.parent
    sounds = [file for file in found.files if is_sound(file)]
    if not sounds:
        raise DataError(f"{shown(path)} holds no sound: add WAV, FLAC or OGG files")
    files = classified(folder, sounds)
    heard = _hear(files, config, path)
    classes = classes_of(folder, heard.files)
    labels = labels_of(folder, heard.files, classes)
    counts = [len(clips) for clips in heard.clips]
    notices = [
        loose_notice(folder, len(sounds) - len(files), "sound"),
        splits_notice(folder, classes),
        shut_notice(folder, found.shut),
        skipped_notice(folder, heard.skipped),
        _clipped_notice(folder, heard.clipped),
    ]
    return clip_dataset(
        np.concatenate(heard.clips),
        None if labels is None else np.repeat(labels, counts),
        tuple(shown(name) for name in classes),
        _held(counts, validation),
        rate=config.rate,
        where=shown(path),
        notices=tuple(notice for notice in notices if notice),
    )


def _hear(files: list[Path], config: Config, path: Path) -> Heard:
    """The clips stand in the order of ``files``."""
    heard, room = Heard(), MEMORY
    with closing(decoded(files, _clipping(config))) as results:
        for file, result in counting.counted(zip(files, results, strict=True), len(files)):
            if isinstance(result, Skipped):
                heard.skipped.append(result)
                continue
            clips, clipped = result
            room -= clips.nbytes
            if room < 0:
                raise DataError(f"the sounds of {shown(path)} take over {gib(MEMORY)}: lower rate")
            heard.clips.append(clips)
            heard.files.append(file)
            if clipped:
                heard.clipped.append(file)
    if not heard.files:
        raise DataError(f"none of the sounds in {shown(path)} can be used: {why(heard.skipped)}")
    return heard


def _clipping(config: Config) -> Task[tuple[Waves, bool]]:
    """Makes clips of sounds, and says whether a sound's peaks are cut off."""

    def clips(file: Path, data: bytearray) -> tuple[Waves, bool] | Skipped:
        sound = sound_of(file, data, config.rate)
        if not isinstance(sound, Sound):
            return sound
        clips = windows(sound.samples, config.length)
        return (clips, sound.clipped) if len(clips) else Skipped(file, "silent")

    return Task(("sound",), MOST_BYTES, clips, _BATCH)


def _held(counts: list[int], share: float) -> NDArray[np.bool_]:
    """Which clips are held out: all of some files; of a single file, its end."""
    if len(counts) == 1:
        held = min(max(1, round(counts[0] * share)), counts[0] - 1)
        return np.arange(counts[0]) >= counts[0] - held
    files = np.zeros(len(counts), bool)
    files[held_out(len(counts), share)[1].numpy()] = True
    return np.repeat(files, counts)


def _clipped_notice(folder: Path, clipped: list[Path]) -> str:
    if not clipped:
        return ""
    names = named([shown(file.name) for file in clipped])
    return f"{counted(len(clipped), 'file')} of {shown(folder)} clipped, used as it is: {names}"
