"""Brings each step its batch: at once from memory, or fetched while the step before is computed."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from backends.data import Order

Items = tuple[Tensor, Tensor | None]


class Feed:
    """The batches of an order, on ``device``.

    A source that fits into memory lies on the device as a whole and is indexed there. One that
    streams is read by a thread of its own, one step ahead; since the batch of a step is a pure
    function of the step, reading ahead changes nothing.

    Attributes:
        waited: seconds that the training has waited for data since :meth:`take_waited`.
    """

    def __init__(self, order: Order, device: torch.device) -> None:
        self.order, self.device = order, device
        self.waited = 0.0
        self._reader = ThreadPoolExecutor(1, "feed") if order.source.streams else None
        self._next: tuple[int, Future[Items]] | None = None

    def batch(self, step: int) -> Items:
        """The (x, y) of ``step``."""
        begin = time.perf_counter()
        items = self.order.batch(step) if self._reader is None else self._streamed(step)
        self.waited += time.perf_counter() - begin
        return items

    def take_waited(self) -> float:
        """Seconds waited since the last call."""
        waited, self.waited = self.waited, 0.0
        return waited

    def close(self) -> None:
        """Ends the thread when it has read what it reads; that is forgotten, and not waited for,
        as a loader may never come back."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def _streamed(self, step: int) -> Items:
        known = self._next
        found = known[1] if known is not None and known[0] == step else self._ask(step)
        x, y = found.result()
        self._next = (step + 1, self._ask(step + 1))
        return x.to(self.device, non_blocking=True), _moved(y, self.device)

    def _ask(self, step: int) -> "Future[Items]":
        assert self._reader is not None
        return self._reader.submit(self._read, step)

    def _read(self, step: int) -> Items:
        x, y = self.order.batch(step)
        if self.device.type != "cuda":
            return x, y
        return x.pin_memory(), None if y is None else y.pin_memory()


def _moved(y: Tensor | None, device: torch.device) -> Tensor | None:
    return None if y is None else y.to(device, non_blocking=True)
