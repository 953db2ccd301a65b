"""Samples on disk: one open file each, and a grid of all pictures."""

import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backends import fancharts, seeds, waveforms
from backends.data_error import DataError
from backends.datasets._pictures import whole
from backends.model import Model, RequestError, Samples
from backends.precision import Numerics
from backends.records import SampleRequest


@torch.no_grad()
def draw(model: Model, request: SampleRequest, numerics: Numerics) -> Samples:
    """Samples of ``model`` in eval mode; a function of the weights and the request alone.

    Raises:
        RequestError: the model cannot be asked for that.
    """
    model.check(request)
    training = model.training
    model.eval()
    try:
        generator = seeds.generator(request.seed, 0, "sample", model.device)
        if request.image is None:
            with numerics.autocast(model.device):
                return model.sample(request, generator)
        image, mask = _given(model, request)
        with numerics.autocast(model.device):
            return model.edit(request, generator, image, mask)
    finally:
        model.train(training)


def _given(model: Model, request: SampleRequest) -> tuple[Tensor, Tensor | None]:
    """The picture [1, C, H, W] in [-1, 1] of a request, and its mask [1, 1, H, W] in [0, 1]."""
    try:
        color = "gray" if model.shape.size[0] == 1 else "rgb"
        image = torch.from_numpy(whole(Path(request.image or ""), color).copy())
        image = image[None].float().div(127.5).sub(1).to(model.device)
        if request.mask is None:
            return image, None
        mask = torch.from_numpy(whole(Path(request.mask), "gray").copy())[None].float().div(255)
    except DataError as error:
        raise RequestError(str(error)) from None
    if mask.shape[2:] != image.shape[2:]:
        sizes = [" x ".join(map(str, reversed(t.shape[2:]))) for t in (mask, image)]
        raise RequestError(f"the mask is {sizes[0]} and the image {sizes[1]}: make them equal")
    return image, mask.to(model.device)


def write(
    folder: Path,
    samples: Samples,
    request: SampleRequest,
    also: Mapping[str, int | float | str] = MappingProxyType({}),
    finish: Callable[[Path], None] = lambda folder: None,
) -> int:
    """Writes ``folder`` as a whole, in place of an older one; how many samples it holds.

    Pictures become ``000.png`` ... and ``grid.png``, texts ``000.txt`` ..., forecasts ``000.csv``
    ... and sounds ``000.wav`` ..., both with pictures of them; ``request.json`` tells what was
    asked, the labels, the captions and ``also``.

    Args:
        finish: called with the folder when all is in it and before it gets its name.
    """
    hidden = folder.with_name(f".tmp-{folder.name}-{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True, mode=0o700)
    try:
        count = _write_all(hidden, samples, request, also)
        finish(hidden)
        shutil.rmtree(folder, ignore_errors=True)
        hidden.rename(folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return count


def sweep(folder: Path) -> None:
    """Removes what a writer that was killed has left among the samples in ``folder``."""
    for leftover in folder.glob(".tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _write_all(
    hidden: Path, samples: Samples, request: SampleRequest, also: Mapping[str, int | float | str]
) -> int:
    count = _write_pictures(hidden, to_uint8(samples.images)) if samples.images is not None else 0
    if samples.forecasts is not None:
        fancharts.tables(hidden, samples.forecasts)
        drawn = [fancharts.chart(samples.forecasts, i) for i in range(len(samples.forecasts.past))]
        count = _write_pictures(hidden, np.stack(drawn))
    if samples.audio is not None:
        count = _write_sounds(hidden, samples.audio, samples.rate)
    for index, text in enumerate(samples.texts):
        (hidden / f"{index:03d}.txt").write_text(text, encoding="utf-8", newline="")
    told = {**also, "labels": list(samples.labels), "captions": list(samples.captions)}
    (hidden / "request.json").write_bytes(msgspec.json.encode({"request": request, **told}))
    return count + len(samples.texts)


def to_uint8(images: Tensor) -> np.ndarray:
    """Images [N, C, H, W] in [-1, 1] as uint8 [N, H, W, C]; what is outside is clipped."""
    scaled = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return torch.nan_to_num(scaled).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def grid(pixels: np.ndarray, columns: int = 0) -> np.ndarray:
    """Pictures [N, H, W, C] as one picture, row by row, with no gap."""
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    padded = np.zeros((rows * columns, height, width, channels), np.uint8)
    padded[:n] = pixels
    tiles = padded.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return tiles.reshape(rows * height, columns * width, channels)


def _write_pictures(folder: Path, pixels: np.ndarray) -> int:
    for index, picture in enumerate(pixels):
        save(picture, folder / f"{index:03d}.png")
    save(grid(pixels), folder / "grid.png")
    return len(pixels)


def _write_sounds(folder: Path, audio: Tensor, rate: int) -> int:
    sounds = audio.detach().float().cpu().numpy()
    for index, sound in enumerate(sounds):
        waveforms.save(folder / f"{index:03d}.wav", sound, rate)
    return _write_pictures(folder, np.stack([waveforms.tile(sound) for sound in sounds]))


def save(picture: np.ndarray, path: Path) -> None:
    """Writes a picture [H, W, C], uint8, as a PNG."""
    gray = picture.shape[-1] == 1
    Image.fromarray(picture[..., 0] if gray else picture).save(path, compress_level=1)
