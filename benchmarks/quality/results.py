"""Results as they come: one line of JSON each, so that an interrupted bake-off goes on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from backends.records import SampleRequest
from benchmarks.quality.entrants import Entrant


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one entrant with one seed came to.

    Attributes:
        key: all that decides the samples but the code; with the same key nothing is trained again.
        features: hash of the classifier that the scores are in the features of.
        seconds, draw_seconds: CPU time of everything but drawing, and of drawing.
    """

    entrant: str
    seed: int
    key: str
    features: str
    scores: dict[str, float]
    seconds: float
    draw_seconds: float
    count: int
    steps: int
    parameters: int
    precision: str


def key_of(entrant: Entrant, seed: int, **conditions: object) -> str:
    """A text that is the same for the same entrant, knobs, seed and conditions."""
    ask = {name: value for name, value in _fields(entrant.ask) if value is not None}
    asked = [entrant.model or entrant.peer, dict(entrant.settings), ask]
    asked += [entrant.after] if entrant.after else []
    return json.dumps([*asked, seed, sorted(conditions.items())], sort_keys=True)


def _fields(ask: SampleRequest) -> Iterable[tuple[str, object]]:
    """Fields of a request but count and seed, which the contest sets."""
    fields = msgspec.to_builtins(ask)
    return ((name, fields[name]) for name in fields if name not in ("count", "seed"))


class Results:
    """The file of results in a bake-off's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_key = {(result.key, result.features): result for result in _read(path)}

    def get(self, key: str, features: str) -> Result | None:
        return self._by_key.get((key, features))

    def add(self, result: Result) -> None:
        """Appends a line. Behind one that was cut off, it begins anew."""
        torn = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("ab") as file:
            file.write(b"\n" * torn + msgspec.json.encode(result) + b"\n")
        self._by_key[result.key, result.features] = result


def _read(path: Path) -> Iterable[Result]:
    """The results of a file; lines that are damaged are passed over."""
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield msgspec.json.decode(line, type=Result)
        except msgspec.DecodeError:
            continue


def document(
    results: Sequence[Result], references: Mapping[str, Mapping[str, float]], facts: dict[str, str]
) -> str:
    """Everything as one JSON document."""
    rows = [msgspec.to_builtins(result) for result in results]
    return json.dumps({"facts": facts, "references": references, "results": rows}, indent=1)
