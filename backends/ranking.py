"""Which step has the best score: the one that its user has named."""

import math
from collections.abc import Mapping

Best = tuple[int, float]
"""A step and its score."""


class Ranking:
    """Compares the scores of one name."""

    def __init__(self, named: str) -> None:
        """``named`` is a logged scalar, "+" before it where more is better; empty ranks nothing."""
        self.name, self._sign = named.removeprefix("+"), -1 if named.startswith("+") else 1
        self._complained = False

    def better(self, best: Best | None, step: int, values: Mapping[str, float]) -> Best | None:
        """``best``, or this step if its score is better; a score that is no number never is."""
        score = values.get(self.name, math.nan)
        if not math.isfinite(score):
            return best
        ahead = best is None or self._sign * score < self._sign * best[1]
        return (step, score) if ahead else best

    def complaint(self, values: Mapping[str, float]) -> str:
        """Says once that there is no score of that name, and which there are; else nothing."""
        if not self.name or self.name in values or self._complained:
            return ""
        self._complained = True
        return f"keep_best is {self.name}, which this run does not log; it has {', '.join(values)}"
