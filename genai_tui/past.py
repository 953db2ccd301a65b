"""What the runs of this machine have measured of it before anybody looked."""

import time

from genai_tui.processes import living_here
from genai_tui.store import Store
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Telemetry

RECENT_SECONDS = 5.0


def past(store: Store, seconds: float) -> list[Telemetry]:
    """The samples of the last ``seconds``, oldest first.

    Each living run has a poller that sees every GPU: the run that is there longest has seen most,
    and the next are read for what it has missed at the end.
    """
    now = time.time()
    found: list[Telemetry] = []
    for run in sorted(living_here(store.summaries()), key=lambda run: run.created):
        if found and found[-1].t > now - RECENT_SECONDS:
            break
        seen = journal.around(store.root / run.id, now, seconds)
        found += [sample for sample in seen if not found or sample.t > found[-1].t]
    return found
