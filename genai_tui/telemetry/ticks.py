"""A clock that strikes on a fixed grid."""

import math
import time
from collections.abc import Callable, Iterator


def ticks(
    every: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[None]:
    """Yield at once and then each ``every`` seconds without drift; missed ticks are left out."""
    start = clock()
    count = 0
    while True:
        yield
        count = max(count + 1, math.ceil((clock() - start) / every))
        sleep(max(0.0, start + count * every - clock()))
