"""A signal to one's own process: refused in a sentence, or sent to that process and no other."""

import signal

from genai_tui import liveness
from genai_tui.processes import Row
from genai_tui.visible import visible

SIGNALS: dict[str, signal.Signals] = {
    "INT": signal.SIGINT,
    "TERM": signal.SIGTERM,
    "KILL": signal.SIGKILL,
}


def refusal(row: Row) -> str:
    """Why this process gets no signal from here; empty if it may."""
    process = row.process
    if process is None:
        return (
            f"Process {row.pid} cannot be seen from here: it runs outside this container, "
            "where its number means something."
        )
    if row.studio:
        return f"Process {row.pid} is this studio: ctrl+q leaves it."
    if not process.own:
        owner = visible(process.user) or "another user"
        return f"Process {row.pid} belongs to {owner}: only its owner can send it a signal."
    return ""


def send(row: Row, name: str) -> str:
    """Sends the signal ``name`` of SIGNALS; what came of it, in a sentence.

    The process is opened first and its start time compared then, so that a later process with the
    same number is never hit.
    """
    refused = refusal(row)
    if refused or row.process is None:
        return refused
    target = liveness.Identity(row.pid, row.process.started)
    try:
        sent = liveness.send(target, SIGNALS[name])
    except PermissionError:
        return f"Process {row.pid} may not be sent a signal: it runs with other rights."
    except OSError as error:
        return f"Process {row.pid} could not be sent {name}: {error.strerror}."
    return f"{name} was sent to process {row.pid}." if sent else f"Process {row.pid} has ended."
