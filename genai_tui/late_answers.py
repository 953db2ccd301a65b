"""Answers of the terminal that come when nobody waits for them any more.

Over a slow line, or from a machine that has much to do, what the terminal says of itself comes when
Textual reads already, to which it would be keys: ``?`` is in most of them and opens the help.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.message import Message

from genai_tui.images.query import ANSWERS, UNFINISHED

_ANSWERS = [re.compile(answer.pattern.decode()) for answer in ANSWERS]
_UNFINISHED = re.compile(UNFINISHED.pattern.decode())


class Parser(XTermParser):
    """Textual's, which never sees an answer, not even one that comes in two pieces."""

    _begun = ""

    def feed(self, data: str) -> Iterable[Message]:
        begun, self._begun = self._begun, ""
        if not data:  # the end
            return super().feed("")
        data = begun + data
        for answer in _ANSWERS:
            data = answer.sub("", data)
        if unfinished := _UNFINISHED.search(data):
            self._begun, data = unfinished[0], data[: unfinished.start()]
        return super().feed(data) if data else ()


def without_late_answers(driver: type[Driver]) -> type[Driver]:
    """The same driver, with that parser.

    It stands on a name that Textual's drivers import into their modules: ``XTermParser``.
    """
    for kind in driver.__mro__:
        module = sys.modules[kind.__module__]
        if getattr(module, "XTermParser", None) is XTermParser:
            module.__dict__["XTermParser"] = Parser
    return driver
