"""2,284 weeks of carbon dioxide in the air over Mauna Loa, 1958 to 2001, with 59 gaps; embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.data import Dataset
from backends.datasets import _embedded, _table
from backends.datasets._series import series_dataset
from backends.knobs import Bounds

MODALITY = "series"
EMBEDDED = True
NEEDS_PATH = False


@dataclass(frozen=True, kw_only=True)
class Config:
    context: Annotated[int, "weeks that a forecast looks back on", Bounds(2, 1024, "weeks")] = 104
    horizon: Annotated[int, "weeks that are forecast", Bounds(1, 512, "weeks")] = 52
    fill: Annotated[int, "longest gap that is filled along a line", Bounds(0, 1000, "weeks")] = 8


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Parts per million, a row a week; the last years are held out (Keeling & Whorf 2004)."""
    table = _table.chosen(_table.read(_embedded.text("co2"), "co2"), "co2", "co2")
    return series_dataset(
        table,
        where="co2",
        context=config.context,
        horizon=config.horizon,
        fill=config.fill,
        validation=validation,
    )
