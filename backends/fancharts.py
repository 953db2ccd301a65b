"""Forecasts on disk: a table a series, and a chart of past, likely futures and what really came."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from backends.model import Forecasts

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the paths that are written and drawn."""
WIDTH, HEIGHT, MARGIN = 320, 160, 10

_BACK, _PAST, _TRUTH = (18, 20, 26), (200, 204, 212), (255, 176, 66)
_OUTER, _INNER, _MEDIAN = (28, 62, 92), (44, 108, 152), (120, 196, 255)

Values = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def tables(folder: Path, forecasts: Forecasts) -> None:
    """Writes ``000.csv`` ...: a row a step and column, with the mean, quantiles and the truth."""
    header = ["step", "column", "mean", *(f"q{share:.2f}" for share in SHARES), "actual"]
    for index in range(len(forecasts.past)):
        with (folder / f"{index:03d}.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(header)
            table.writerows(_rows(forecasts, index))


def _rows(forecasts: Forecasts, index: int) -> list[list[str]]:
    paths, future = _numbers(forecasts.paths[index]), _numbers(forecasts.future[index])
    mean, quantiles = paths.mean(0), np.quantile(paths, SHARES, axis=0)  # [C, n], [Q, C, n]
    rows = []
    for column, name in enumerate(forecasts.columns):
        for step in range(future.shape[1]):
            actual = future[column, step]
            cells = [mean[column, step], *quantiles[:, column, step]]
            texts = [f"{cell:.6g}" for cell in cells]
            texts.append("" if math.isnan(actual) else f"{actual:.6g}")
            rows.append([str(step + 1), name, *texts])
    return rows


def chart(forecasts: Forecasts, index: int) -> Pixels:
    """One series as a picture [H, W, 3]: a panel a column, below one another."""
    panels = [
        _panel(
            _numbers(forecasts.past[index])[column],
            _numbers(forecasts.paths[index])[:, column],
            _numbers(forecasts.future[index])[column],
            name,
        )
        for column, name in enumerate(forecasts.columns)
    ]
    return np.concatenate(panels)


def _panel(past: Values, paths: Values, future: Values, name: str) -> Pixels:
    past = past[-3 * paths.shape[1] :]  # the further past would press the forecast together
    quantiles = np.quantile(paths, SHARES, axis=0)
    low, high = _range(np.concatenate([past, quantiles[0], quantiles[-1], future]))
    image = Image.new("RGB", (WIDTH, HEIGHT), _BACK)
    draw, steps = ImageDraw.Draw(image), len(past) + len(future)

    def at(values: Sequence[float] | Values, begin: int) -> list[tuple[float, float]]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (begin + np.arange(len(values))) / max(1, steps - 1)
        y = HEIGHT - MARGIN - (HEIGHT - 3 * MARGIN) * (np.asarray(values) - low) / (high - low)
        return list(zip(x.tolist(), y.tolist(), strict=True))

    n, last = len(past), past[-1:]
    for lower, upper, ink in ((0, 4, _OUTER), (1, 3, _INNER)):
        edge = at(np.concatenate([last, quantiles[upper]]), n - 1)
        draw.polygon(edge + at(np.concatenate([last, quantiles[lower]]), n - 1)[::-1], fill=ink)
    draw.line(at(np.concatenate([last, quantiles[2]]), n - 1), fill=_MEDIAN, width=2)
    draw.line(at(past, 0), fill=_PAST, width=1)
    if not np.isnan(future).any():
        draw.line(at(np.concatenate([last, future]), n - 1), fill=_TRUTH, width=1)
    font = ImageFont.load_default(size=10)
    draw.text((MARGIN, 2), f"{name}  {low:.4g} to {high:.4g}", fill=_PAST, font=font)
    return np.asarray(image)


def _range(values: Values) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return (low, high) if high > low else (low - 1, high + 1)


def _numbers(values: object) -> Values:
    return np.asarray(values.detach().cpu().double())  # pyright: ignore[reportAttributeAccessIssue]
