"""Lets go of what was closed.

Textual drops a closed widget that watched an attribute of the App when that attribute changes. Here
it may never change, and each screen that was closed would stay in memory with all that it has read.
"""

from typing import Any, cast

from textual.app import App
from textual.dom import DOMNode

LET_GO_SECONDS = 5.0
"""How long a closed screen may stay."""


def let_go(app: App[Any]) -> None:
    """Forgets who watched an attribute of the App and is not part of it any more."""
    watching = cast("dict[str, list[tuple[DOMNode, object]]]", getattr(app, "__watchers", {}))
    for entries in watching.values():
        entries[:] = [(node, callback) for node, callback in entries if node.is_attached]
