"""How the height of the page of GPUs is divided: devices, graphs, and processes in what is left."""

from typing import NamedTuple

BORDERS, TITLE, HOST, KEYS = 2, 1, 2, 1
LEAST_PROCESSES, LEAST_GRAPHS = 9, 5
GAUGE_LOW, GAUGE_HIGH = 3, 8


class Heights(NamedTuple):
    """Rows of the panels with their borders; no graphs where it is 0."""

    devices: int
    graphs: int


def divided(height: int, devices: int, rows: int) -> Heights:
    """The heights on a screen of ``height`` with so many devices and ``rows`` of gauges.

    Devices take a third at most and scroll, processes have a third; where there are no devices a
    line says why.
    """
    above = min(devices, height // 3) + TITLE + BORDERS if devices else 0
    below = max(LEAST_PROCESSES, height // 3)
    left = height - (above or TITLE) - HOST - KEYS - below
    if left < LEAST_GRAPHS:
        return Heights(above, 0)
    gauge = max(GAUGE_LOW, min(GAUGE_HIGH, (left - BORDERS) // rows))
    return Heights(above, min(gauge * rows + BORDERS, left))
