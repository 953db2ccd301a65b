"""What becomes of a training whose terms or weights are no numbers any more."""

import time
from collections.abc import Iterator

from backends.model import RequestError
from backends.records import Notice, scalar

Bad = tuple[int, str, float]
"""The step, the name and the value of what was not finite."""


class NotFiniteError(ArithmeticError):
    """Something that was NaN or infinite; the message says what, when, and what may help.

    Attributes:
        bad: the step that was spoilt, and by what.
        phrase: that, without what became of it.
    """

    def __init__(self, bad: Bad, outcome: str) -> None:
        self.bad, self.phrase = bad, _phrase(bad)
        super().__init__(f"{self.phrase}: {outcome}; try a lower lr or a lower clip_grad")


class SpoiltError(RequestError):
    """Samples of weights that are no numbers: there is nothing to draw."""


class Finiteness:
    """Keeps the first thing that was not finite; the policy is to go on with one warning, or not
    to: how the training goes on then, or ends, is for who catches the error."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._bad: Bad | None = None
        self._warned = False

    def note(self, bad: Bad | None) -> None:
        """A window of steps had this, or nothing of the kind."""
        self._bad = self._bad or bad

    def forget(self) -> None:
        """The steps that had it are undone."""
        self._bad = None

    def warn(self, step: int) -> Iterator[Notice]:
        """Says once an attempt that something was not finite, where the policy is to go on."""
        if self._bad is None or self._policy != "warn" or self._warned:
            return
        self._warned = True
        text = f"{_phrase(self._bad)}; nan_policy is warn, so the training goes on"
        yield Notice(step=step, t=time.time(), text=text)

    def refuse(self) -> None:
        """Raises NotFiniteError where the policy is not to go on like that."""
        if self._bad is None or self._policy == "warn":
            self._bad = None
            return
        raise NotFiniteError(self._bad, "the weights went wrong there and were not saved")


def _phrase(bad: Bad) -> str:
    step, name, value = bad
    return f"{name} was {scalar(value)} at step {step:,}"
