"""CPU time of this process as a budget."""

import time


class BudgetSpentError(Exception):
    """Ends a loop that somebody else wrote once its time is up."""


class Budget:
    """``seconds`` of process CPU time from now on. Wall time counts for nothing."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begin = time.process_time()

    @property
    def spent(self) -> float:
        return time.process_time() - self._begin

    def check(self) -> None:
        """Raises BudgetSpentError when the time is up."""
        if self.spent >= self.seconds:
            raise BudgetSpentError
