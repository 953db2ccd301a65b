"""The way from noise to data, told to whoever watches."""

from collections.abc import Callable, Sequence

from torch import Tensor

from backends.diffusion._solvers import Field, Hook, Path
from backends.watching import is_watched, observer


class Trajectory:
    """One part of the samples on its way along ``times``.

    At every step the first answer of the field is told, as the picture that it means, beside what
    the network saw: x_t over alpha + sigma, so that it is about as bright as data. Solvers that ask
    more than once a step are not told of twice.

    Args:
        meant: (x_t, t, answer of the field) to the picture that it takes x_t to come from.
        part: which of ``count`` samples these are.
    """

    def __init__(
        self,
        meant: Callable[[Tensor, float, Tensor], Tensor],
        path: Path,
        times: Sequence[float],
        part: slice,
        count: int,
    ) -> None:
        self._meant, self._path = meant, path
        self._first, self._size = part.start, part.stop - part.start
        self._steps, self._count = len(times) - 1, count
        self._done, self._told = 0, False

    def field(self, field: Field) -> Field:
        """``field``, whose first answer in a step is told."""

        def asked(x: Tensor, t: float) -> Tensor:
            answer = field(x, t)
            if not self._told:
                self._told = True
                alpha, sigma = self._path(t)
                observer().pictured(self._first, self._meant(x, t, answer), x / (alpha + sigma))
            return answer

        return asked if is_watched() else field

    def after(self, after: Hook) -> Hook:
        """``after``, and a step is done."""

        def passed(x: Tensor, t: float) -> Tensor:
            x = after(x, t)
            self._done, self._told = self._done + 1, False
            share = self._done / self._steps
            observer().advanced((self._first + self._size * share) / self._count)
            return x

        return passed if is_watched() else after
