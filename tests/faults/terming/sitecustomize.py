"""On the path of a worker this sends it a SIGTERM while it starts.

``GENAI_TUI_TEST_TERM_AT`` names the moment: "start" for before the first line of its own, or a
module at whose import the signal comes.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_MOMENT = os.environ.get("GENAI_TUI_TEST_TERM_AT", "")


class _Herald:
    """Finds no module, but hears of each that is looked for."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == _MOMENT:
            os.kill(os.getpid(), signal.SIGTERM)
        return None


if "genai_tui.worker" in sys.orig_argv:
    if _MOMENT == "start":
        os.kill(os.getpid(), signal.SIGTERM)
    sys.meta_path.insert(0, _Herald())
