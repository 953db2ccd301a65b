"""Two ways to do the same work, timed in turns A B B A, so that a machine's drift hits both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]
Clock = Callable[[], float]

BLOCKS = 6
MOST_BLOCKS = 60


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of the turns.

    Attributes:
        ratios: of each block, their seconds over ours: greater than 1 where ours is faster.
        ours, theirs: median seconds of one piece of work.
    """

    ratios: tuple[float, ...]
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.ratios), max(self.ratios)


def compare(
    ours: Work,
    theirs: Work,
    *,
    warm_up: int = 3,
    repeat: int = 1,
    pieces: int = 1,
    share: float = 1.0,
    budget: float = 0.0,
    clock: Clock = time.process_time,
) -> Comparison:
    """Runs both in turns: at least BLOCKS blocks A B B A, more while ``budget`` seconds last.

    Args:
        warm_up: first calls of each that are not counted.
        repeat: calls a turn, so that a turn is long beside the clock's resolution.
        pieces: of work that ``ours`` does in a call; the seconds are those of one.
        share: what ``theirs`` does in a call of the work that ``ours`` does in one.
        clock: of the seconds; by default the CPU time of this process.
    """
    for work in (ours, theirs):
        for _ in range(warm_up):
            work()
    turns: list[tuple[float, float, float, float]] = []
    begin = clock()
    while len(turns) < BLOCKS or (clock() - begin < budget and len(turns) < MOST_BLOCKS):
        turn = [_turn(work, repeat, clock) / pieces for work in (ours, theirs, theirs, ours)]
        turns.append((turn[0], turn[1] / share, turn[2] / share, turn[3]))
    return Comparison(
        ratios=tuple((b + c) / (a + d) for a, b, c, d in turns),
        ours=statistics.median(t for a, _, _, d in turns for t in (a, d)),
        theirs=statistics.median(t for _, b, c, _ in turns for t in (b, c)),
    )


def _turn(work: Work, repeat: int, clock: Clock) -> float:
    begin = clock()
    for _ in range(repeat):
        work()
    return (clock() - begin) / repeat
