"""The scores of a run's checkpoints: the newest of each kind, and how they are said."""

from collections.abc import Iterable, Sequence

from backends.records import Score, number
from genai_tui import amounts, log
from genai_tui.run import Run

MOST = 1000
TITLES = ("step", "score", "value", "of real data", "samples", "features")
ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


def read(run: Run) -> list[Score]:
    """All scores on record, oldest first."""
    found: list[Score] = []
    offset, more = 0, True
    while more:
        chunk = log.read(run.scores, offset)
        found += [record for record in chunk.records if isinstance(record, Score)]
        offset, more = chunk.offset, chunk.more
    return found


def newest(scores: Iterable[Score]) -> list[Score]:
    """Of each kind and step the last one: later checkpoints first, comparisons with real data
    before what the model says itself."""
    found = {(s.step, s.metric, s.features, s.count, s.seed): s for s in scores}
    return sorted(found.values(), key=lambda s: (-s.step, not s.features))[:MOST]


def latest(scores: Iterable[Score]) -> list[Score]:
    """Those of the last checkpoint that was scored, each kind once."""
    kept = newest(scores)
    found = {name(s): s for s in kept if s.step == kept[0].step}
    return list(found.values())


def name(score: Score) -> str:
    """ "fd-classifier-1a2b3c4d": a score and the space that it was taken in."""
    return f"{score.metric}-{score.features}" if score.features else score.metric


def texts(score: Score) -> Sequence[str]:
    """A line of a table with TITLES."""
    spread = f" ± {amounts.value(number(score.spread))}" if score.spread is not None else ""
    known = score.reference is not None
    return (
        f"{score.step:,}",
        score.metric + ARROWS[score.better],
        amounts.value(number(score.value)) + spread,
        amounts.value(number(score.reference)) if known else amounts.UNKNOWN,
        f"{score.count:,}" if score.count else amounts.UNKNOWN,
        score.features or "the model's own",
    )


def side_by_side(runs: Sequence[Sequence[Score]]) -> list[tuple[str, list[str]]]:
    """The scores of several runs by what was measured: in the same features, and of as many samples
    where some were drawn. Each with its step, as checkpoints may be of different ones."""
    kinds = {(name(s), s.count): None for found in runs for s in found}
    return [
        (
            name_ + (f" of {count:,}" if count else ""),
            [_of((name_, count), found) for found in runs],
        )
        for name_, count in kinds
    ]


def _of(kind: tuple[str, int], found: Sequence[Score]) -> str:
    score = next((s for s in found if (name(s), s.count) == kind), None)
    if score is None:
        return amounts.UNKNOWN
    return f"{amounts.value(number(score.value))} @{amounts.count(score.step)}"
