"""What fault a worker has, at which step: ``GENAI_TUI_TEST_FAULT`` names a file that tells."""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Attributes:
    kind: the fault.
    step: how many steps are done when it comes.
    steps: of how many.
    above: only to batches of more items than this.
    once: the file is removed, and with it the fault, when it has come.
    """

    kind: str = ""
    step: int = 0
    steps: int = 1
    above: int = 0
    once: bool = True

    def is_due(self, progress: float, items: int) -> bool:
        return round(progress * self.steps) == self.step and self.comes(items)

    def comes(self, items: int) -> bool:
        """Whether it comes to a batch of so many items, if it is its time."""
        if not _file.is_file() or items <= self.above:
            return False
        if self.once:
            _file.unlink()
        return True


_file = Path(os.environ.get("GENAI_TUI_TEST_FAULT", "-"))
plan = Plan(**json.loads(_file.read_text())) if _file.is_file() else Plan()
