"""All samples of all runs: what there is, how it is arranged, and where one stands. No screen.

Looking through 500 runs with 50 sample steps each takes one listing a run and one stat a step, so
it belongs in a thread; a run whose folder has not changed is not listed again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genai_tui import playground, sample_files, stars
from genai_tui.run import Run, Summary
from genai_tui.sample_files import Drawn
from genai_tui.stars import Keepsake

Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """The samples of one step of a run, or one of them that a user kept by itself."""

    run: Summary
    drawn: Drawn
    keepsake: Keepsake
    is_newest: bool
    is_played: bool = False
    """Whether somebody drew it in the playground."""
    tile: int | None = None
    """The number of the one that is kept; None is all of them."""

    @property
    def is_step(self) -> bool:
        """Whether it is all that the run drew at a step."""
        return self.tile is None and not self.is_played

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.run.id, stars.name_of(self.drawn.relative, self.tile)


@dataclass(frozen=True, slots=True)
class View:
    """A way to arrange items: which of them, in which groups."""

    name: str
    holds: Callable[[Item], bool]
    group: Callable[[Item], str]
    nothing: str


_EMPTY = "No samples yet. A run draws some every sample_every steps, or when s is pressed on it."
VIEWS = (
    View("newest of each run", lambda item: item.is_newest, lambda item: "", _EMPTY),
    View("every step", lambda item: item.is_step, lambda item: "", _EMPTY),
    View("by model", lambda item: item.is_newest, lambda item: item.run.model, _EMPTY),
    View("by data", lambda item: item.is_newest, lambda item: item.run.dataset, _EMPTY),
    View(
        "starred",
        lambda item: item.keepsake.starred,
        lambda item: "",
        "Nothing is starred yet: * stars the samples under the cursor.",
    ),
    View(
        "playground",
        lambda item: item.is_played and item.tile is None,
        lambda item: "",
        "Nothing was drawn in a playground yet: p on a run opens its own.",
    ),
)


class Collection:
    """Reads what samples the runs have, and remembers runs that have not changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[Stamp, list[Drawn], list[Drawn], dict[str, Keepsake]]] = {}
        self._seen: list[tuple[str, str, str, str, Stamp]] = []
        self._items: list[Item] = []

    def items(self, runs: Iterable[Summary]) -> list[Item]:
        """All samples, the newest first; the same list as before where nothing has changed."""
        stamped = [(run, self._stamp(run)) for run in runs if run.state != "broken"]
        seen = [(run.id, run.name, run.model, run.dataset, stamp) for run, stamp in stamped]
        if seen != self._seen:
            found = [item for run, stamp in stamped for item in self._of(run, stamp)]
            self._seen, self._items = seen, sorted(found, key=lambda item: -item.drawn.t)
        return self._items

    def _stamp(self, run: Summary) -> Stamp:
        path = self._root / run.id
        folders = (sample_files.FOLDER, playground.FOLDER, stars.FILE)
        return tuple(_modified(path / name) for name in folders)

    def _of(self, run: Summary, stamp: Stamp) -> list[Item]:
        path = self._root / run.id
        known = self._known.get(run.id)
        if known is None or known[0] != stamp:
            known = (stamp, sample_files.listing(path), _played(path), stars.read(path))
            self._known[run.id] = known
        _, drawn, played, kept = known
        steps = [
            Item(run, one, kept.get(one.relative, Keepsake()), index == len(drawn))
            for index, one in enumerate(drawn, 1)
        ]
        steps += [Item(run, one, kept.get(one.relative, Keepsake()), False, True) for one in played]
        return steps + list(_singles(steps, kept))


def _singles(steps: Sequence[Item], kept: Mapping[str, Keepsake]) -> Iterator[Item]:
    """Samples that were kept by themselves, of steps that are there."""
    there = {item.drawn.relative: item for item in steps}
    for name, keepsake in kept.items():
        folder, tile = stars.samples_of(name)
        if tile is not None and folder in there:
            yield replace(there[folder], keepsake=keepsake, is_newest=False, tile=tile)


def _played(path: Path) -> list[Drawn]:
    """What was kept of the run's playground."""
    return [one.drawn for one in playground.results(Run(path))]


@dataclass(frozen=True, slots=True)
class Shelves:
    """Items in rows, each group in rows of its own."""

    rows: Sequence[Sequence[Item]] = ()

    @property
    def count(self) -> int:
        return sum(map(len, self.rows))

    def at(self, place: tuple[int, int]) -> Item | None:
        """The item in a row and a column; None where there is none."""
        row, column = place
        there = 0 <= row < len(self.rows) and 0 <= column < len(self.rows[row])
        return self.rows[row][column] if there else None

    def find(self, key: tuple[str, str]) -> tuple[int, int] | None:
        """Where an item is; None where it is not."""
        for row, items in enumerate(self.rows):
            for column, item in enumerate(items):
                if item.key == key:
                    return row, column
        return None

    def nearest(self, place: tuple[int, int]) -> tuple[int, int]:
        """The place of an item that is nearest to one of any."""
        row = max(0, min(place[0], len(self.rows) - 1))
        column = max(0, min(place[1], len(self.rows[row]) - 1)) if self.rows else 0
        return row, column

    def beside(self, place: tuple[int, int], by: int) -> tuple[int, int]:
        """So many items further, from row to row."""
        row, column = place
        column += by
        while column < 0 and row > 0:
            row -= 1
            column += len(self.rows[row])
        while self.rows and column >= len(self.rows[row]) and row < len(self.rows) - 1:
            column -= len(self.rows[row])
            row += 1
        return self.nearest((row, column))


def held(items: Iterable[Item], view: View, words: Sequence[str]) -> list[list[Item]]:
    """Those items that a view holds and that contain all words, in its groups."""
    found = [item for item in items if view.holds(item)]
    if words:
        of_runs = {item.run.id: _text(item.run) for item in found}
        found = [item for item in found if _contains(of_runs[item.run.id], item, words)]
    groups: dict[str, list[Item]] = {}
    for item in found:
        groups.setdefault(view.group(item), []).append(item)
    return [groups[name] for name in sorted(groups)]


def shelved(groups: Iterable[Sequence[Item]], columns: int) -> Shelves:
    """Groups in rows of at most so many items."""
    return Shelves(
        [group[at : at + columns] for group in groups for at in range(0, len(group), columns)]
    )


def _contains(text: str, item: Item, words: Sequence[str]) -> bool:
    note = item.keepsake.note.lower()
    return all(word in text or word in note for word in words)


def _text(run: Summary) -> str:
    return f"{run.name} {run.model} {run.dataset} {run.id}".lower()


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
