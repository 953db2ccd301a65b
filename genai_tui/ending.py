"""How a worker ended, in a phrase, and whether that was its last word.

Standard library only, for the keeper's sake.
"""

import signal
from dataclasses import dataclass

FINAL = {0: "finished", 75: "stopped", 70: "failed", 74: "failed", 77: "failed", 78: "failed"}
"""Exit codes of a worker that has said how it ended; anything else is a crash."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended.

    Attributes:
        why: what else is known of a signal.
        hung: what it did not do any more, where the keeper ended it for that.
    """

    code: int
    signal: int
    why: str = ""
    hung: str = ""

    @property
    def phrase(self) -> str:
        if self.hung:
            return self.hung
        if not self.signal:
            return f"exit status {self.code}"
        known = self.signal in set(signal.Signals)  # real-time signals have no names
        name = signal.Signals(self.signal).name if known else f"signal {self.signal}"
        return f"killed by {name}{f', {self.why}' if self.why else ''}"

    @property
    def is_final(self) -> bool:
        """Whether the worker has said how it ended, and was not ended by the keeper."""
        ended = self.code in FINAL and not self.signal
        return ended and not (self.hung and FINAL[self.code] == "stopped")
