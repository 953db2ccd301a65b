"""Runs in the command palette: typing a part of a name opens the run."""

from functools import partial
from typing import Protocol, cast

from textual.command import Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from genai_tui.store import Store
from genai_tui.visible import visible

MOST = 50


class Opener(Protocol):
    """What this needs of the App."""

    store: Store

    def open_run(self, run_id: str) -> None: ...


class RunCommands(Provider):
    """Finds runs by name; there may be thousands, so none is listed before something is typed."""

    async def search(self, query: str) -> Hits:
        app, matcher, found = cast(Opener, self.app), self.matcher(query), 0
        for run in app.store.summaries():
            title = f"Open {visible(run.name)}"
            score = matcher.match(title)
            if score > 0 and found < MOST:
                found += 1
                detail = escape(visible(f"{run.model} · {run.state}"))
                open_it = partial(app.open_run, run.id)
                yield Hit(score, Content(title), open_it, text=title, help=detail)
