"""A call in a process of its own: nothing of a peer stays behind, and memory peaks apart."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from benchmarks.speed.peers import MissingPeerError

T = TypeVar("T")


class BrokenError(RuntimeError):
    """The process ended without an answer; what it printed says why."""


def isolated(call: Callable[[], T]) -> T:
    """The result of ``call`` in a fork of this process.

    Raises:
        MissingPeerError: as ``call`` did.
        BrokenError: it raised something else, or died.
    """
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(call, send))
    process.start()
    send.close()
    try:
        answer = receive.recv()
    except EOFError:
        process.join()
        raise BrokenError(f"the process ended with {process.exitcode}") from None
    process.join()
    if isinstance(answer, MissingPeerError):
        raise answer
    return answer


def _answer(call: Callable[[], Any], send: Connection) -> None:
    try:
        answer = call()
    except MissingPeerError as missing:
        answer = missing
    send.send(answer)
