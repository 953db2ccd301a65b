"""The knobs of many runs: read from their ``run.json`` when somebody asks for one, then kept."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from backends.records import RunSpec
from genai_tui.run import Run, RunError

Value = int | float | bool | str | None


class Knobs:
    """Looks knobs up by run and name. Of a large store only what was asked for is kept."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._values: dict[str, dict[str, Value]] = {}
        self._read: dict[str, set[str]] = {}

    def unread(self, names: Iterable[str], ids: Iterable[str]) -> bool:
        """Whether :meth:`read` would have to look into any file."""
        wanted = set(ids)
        return any(not wanted <= self._read.get(name, set()) for name in names)

    def read(self, names: Iterable[str], ids: Iterable[str]) -> None:
        """Reads what is not known yet; for thousands of runs that takes some tenths of a second."""
        asked, wanted = list(names), list(ids)
        todo = [id_ for id_ in wanted if any(id_ not in self._read.get(n, ()) for n in asked)]
        for id_ in todo:
            self._keep(id_, asked, _knobs(Run(self._root / id_)))
        for name in asked:
            self._read.setdefault(name, set()).update(todo)

    def value(self, run_id: str, name: str) -> Value:
        """The value that a run was created with.

        Raises:
            KeyError: it has no such knob, or nobody has read it.
        """
        return self._values[name][run_id]

    def is_known(self, name: str) -> bool:
        """Whether any run that was read has such a knob."""
        return bool(self._values.get(name))

    def _keep(self, run_id: str, names: Iterable[str], knobs: Mapping[str, Value]) -> None:
        for name in names:
            if name in knobs:
                self._values.setdefault(name, {})[run_id] = knobs[name]


def _knobs(run: Run) -> dict[str, Value]:
    with contextlib.suppress(RunError, OSError):
        return knobs_of(run.spec())
    return {}


def knobs_of(spec: RunSpec) -> dict[str, Value]:
    """All that a run was created with, by name; the model's go before the loop's and the data's."""
    own: dict[str, Value] = {"seed": spec.seed, "device": spec.device}
    return {**own, **spec.data_config, **spec.train_config, **spec.model_config}
