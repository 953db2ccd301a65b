"""The part of the App that lets go of what was closed, and of all that it has read and drawn.

Textual keeps hold of it in two places. It drops a closed widget that watched an attribute of the
App when that attribute changes, which may be never. And it remembers the backgrounds of the last
1,024 widgets that drew anything, and with them the widgets' caches of all lines that they drew
(https://github.com/Textualize/textual/issues/6665).
"""

import gc
from functools import partial
from typing import TypeVar, cast

from textual._styles_cache import StylesCache
from textual.dom import DOMNode

from genai_tui.keys_in_order import REST_SECONDS, KeysInOrder

Result = TypeVar("Result")
SETTLE_SECONDS = 1.0
"""The first paint is done by then: nothing is collected before."""
LET_GO_SECONDS = 1.0
"""How long a closed screen may stay."""
PATIENCE = 1
"""How often more a rest is waited for; who types on waits a few hundredths of a second once."""

M_MMAP_THRESHOLD = -3  # malloc.h
LARGE_BYTES = 1 << 18


class TidyingApp(KeysInOrder[Result]):
    """An App that collects what was closed, in moments in which nobody waits for a key."""

    def on_mount(self) -> None:
        self.set_interval(LET_GO_SECONDS, self._tidy)

    def on_ready(self) -> None:
        self.set_timer(SETTLE_SECONDS, _begin)

    def _tidy(self) -> None:
        StylesCache.get_inner_outer.cache_clear()
        if self._forget_closed():  # which may be about to be taken apart
            self._collect_soon(PATIENCE)

    def _forget_closed(self) -> bool:
        """Whether anybody watched an attribute of the App and is not part of it any more."""
        watching = cast("dict[str, list[tuple[DOMNode, object]]]", getattr(self, "__watchers", {}))
        found = False
        for entries in watching.values():
            kept = [(node, callback) for node, callback in entries if node.is_attached]
            found = found or len(kept) < len(entries)
            entries[:] = kept
        return found

    def _collect_soon(self, patience: int) -> None:
        self.set_timer(REST_SECONDS, partial(self._collect, patience))

    def _collect(self, patience: int) -> None:
        """Widgets hold one another: without this they stay until much more has piled up."""
        if self.is_at_rest or not patience:
            gc.collect()
            _give_back()
        else:
            self._collect_soon(patience - 1)


def _give_back() -> None:
    """Of what was freed glibc keeps all that lies between what is in use: 5 to 12 MB."""
    import ctypes  # which the charts have loaded by now

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _keep_apart() -> None:
    """Has glibc take large blocks from the system one by one, and give back those that are free.

    By itself it takes ever larger ones from its heap, and the columns of a long run, which move
    when they grow, leave holes in there: 100 MB with ten million scalars.
    """
    import ctypes

    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(M_MMAP_THRESHOLD, LARGE_BYTES)


def _begin() -> None:
    gc.collect()
    gc.enable()
    _keep_apart()
