"""What Python prints of a fault in this program: the exception's message may quote foreign text."""

import sys
import threading
from types import TracebackType

from genai_tui.visible import visible


def guard() -> None:
    """From now on every traceback of this process goes on its way to the terminal made visible."""
    sys.excepthook = _print
    threading.excepthook = _print_of_thread


def _print(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, place: str = ""
) -> None:
    import traceback  # which nobody needs until something fails

    told = place + "".join(traceback.format_exception(kind, error, trace))
    if sys.stderr is not None:
        sys.stderr.write(visible(told, lines=True))


def _print_of_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_type is not SystemExit:
        name = fault.thread.name if fault.thread else "?"
        error = fault.exc_value or fault.exc_type()
        _print(fault.exc_type, error, fault.exc_traceback, f"Exception in thread {name}:\n")
