"""What becomes of a training whose terms are no numbers any more."""

import time
from collections.abc import Iterator

from backends.records import Notice, scalar

Bad = tuple[int, str, float]
"""The step, the name and the value of a term that was not finite."""


class NotFiniteError(ArithmeticError):
    """A term that was NaN or infinite; the message says which and when."""


class Finiteness:
    """Keeps the first term that was not finite; the policy is to "stop" or to "warn" once."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._bad: Bad | None = None
        self._warned = False

    def note(self, bad: Bad | None) -> None:
        """A window of steps had this, or nothing of the kind."""
        self._bad = self._bad or bad

    def warn(self, step: int) -> Iterator[Notice]:
        """Says once an attempt that a term was not finite, where the policy is to go on."""
        if self._bad is None or self._policy != "warn" or self._warned:
            return
        self._warned = True
        text = f"{_phrase(self._bad)}; nan_policy is warn, so the training goes on"
        yield Notice(step=step, t=time.time(), text=text)

    def refuse(self) -> None:
        """Raises NotFiniteError where the policy is to stop."""
        if self._bad is None or self._policy != "stop":
            self._bad = None
            return
        raise NotFiniteError(
            f"{_phrase(self._bad)}: the weights went wrong there and were not saved; try a "
            "lower lr or a lower clip_grad"
        )


def _phrase(bad: Bad) -> str:
    step, name, value = bad
    return f"{name} was {scalar(value)} at step {step:,}"
