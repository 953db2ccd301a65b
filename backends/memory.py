"""Memory that is not enough: how it is recognised, and what is said of it.

A device says so by an exception of its own, the host's allocators by others; all become one.
"""

import gc
import re
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

_HOST = re.compile(r"can't allocate memory|Cannot allocate memory|std::bad_alloc", re.IGNORECASE)
_ASKED = re.compile(r"tried to allocate ([\d.]+ ?[KMGT]?i?B(?:ytes)?|\d+ bytes)", re.IGNORECASE)


_REMEDIES = {
    "sampling": "try a lower sample_count",
    "validating": "try a lower batch_size",
    "saving": "the copy that a checkpoint is written from needs as much as the weights, their "
    "average and the optimizers together",
}
"""What may help, by what did not fit."""


class MemoryFullError(RuntimeError):
    """Work that did not fit into memory. The message is what was asked for, where that is known.

    It is raised when the work's tensors are free again, so that smaller work can be tried.
    """


def fitted(work: Callable[[], T]) -> T:
    """Does ``work``.

    Raises:
        MemoryFullError: there was not enough memory for it.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        asked = _asked(error)
    # The exception is gone from here on, and with it the frames that held on to what did not fit.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise MemoryFullError(asked)


def is_full(error: BaseException) -> bool:
    """Whether an exception says that there is not enough memory, a device's or the host's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | MemoryFullError):
        return True
    return isinstance(error, RuntimeError) and bool(_HOST.search(str(error)))


def told(error: BaseException, doing: str) -> str:
    """What to say of an error at the end of a training that was ``doing`` something."""
    if isinstance(error, MemoryFullError):  # it has been looked at where more was known
        return str(error)
    return sentence(doing, error, _REMEDIES.get(doing, "try a lower batch_size or a smaller model"))


def sentence(what: str, error: BaseException, remedy: str) -> str:
    """What did not fit, what it asked for, and what to do."""
    asked = str(error) if isinstance(error, MemoryFullError) else _asked(error)
    return f"{what} did not fit into memory{f' ({asked})' if asked else ''}: {remedy}"


def _asked(error: BaseException) -> str:
    found = _ASKED.search(str(error))
    if not found:
        return ""
    number, _, unit = found[1].partition(" ")
    if unit.lower() != "bytes":
        return f"it asked for {found[1]}"
    return f"it asked for {int(number) / 2**20:,.1f} MiB"
