"""Every key that can be given to something else: read from the bindings of all screens."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen

_ROOMS = ("genai_tui.screens", "genai_tui.widgets", "genai_tui.charts", "genai_tui.images")
_APP = ("genai_tui.app", "genai_tui.navigating", "genai_tui.touring")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does.

    Attributes:
        id: what the table ``keys`` of the settings calls it.
        keys: its own keys, as Textual names them, with commas between.
        owners: the classes whose key it is; their own keys may differ, and these are the first's.
    """

    id: str
    keys: str
    what: str
    owners: tuple[type[DOMNode], ...]


def actions() -> list[Action]:
    """All that have an id, those of the whole App first. Imports every screen: takes a moment."""
    found: dict[str, Action] = {}
    for owner in _owners():
        for binding in Binding.make_bindings(vars(owner).get("BINDINGS", ())):
            if not binding.id:
                continue
            known = found.get(binding.id)
            if known is None:
                what = binding.tooltip or binding.description
                found[binding.id] = Action(binding.id, binding.key, what, (owner,))
            elif known.owners == (owner,):
                found[binding.id] = replace(known, keys=f"{known.keys},{binding.key}")
            elif owner not in known.owners:
                found[binding.id] = replace(known, owners=(*known.owners, owner))
    return sorted(found.values(), key=lambda action: (not _is_everywhere(action), action.id))


def taken(
    all_actions: list[Action], chosen: dict[str, str], wanted: str, key: str
) -> Action | None:
    """What has ``key`` already where ``wanted`` would be reached; None if nothing.

    Args:
        all_actions: as :func:`actions` finds them.
        chosen: the user's own keys by id.
        wanted: the id of the action that is to get the key.
        key: as Textual names it.
    """
    asking = next(action for action in all_actions if action.id == wanted)
    for action in all_actions:
        keys = chosen.get(action.id, action.keys).split(",")
        if action is not asking and key in keys and _meet(action, asking):
            return action
    return None


def _owners() -> Iterator[type[DOMNode]]:
    for name in (*_APP, *_modules()):
        module = importlib.import_module(name)
        for owner in vars(module).values():
            if isinstance(owner, type) and issubclass(owner, DOMNode) and owner.__module__ == name:
                yield owner


def _modules() -> list[str]:
    rooms = [importlib.import_module(name) for name in _ROOMS]
    return sorted(
        f"{room.__name__}.{info.name}"
        for room in rooms
        for info in pkgutil.iter_modules(room.__path__)
    )


def _is_everywhere(action: Action) -> bool:
    return issubclass(action.owners[0], App)


def _meet(one: Action, other: Action) -> bool:
    """Whether both can be wanted at the same time."""
    return any(_are_near(mine, its) for mine in one.owners for its in other.owners)


def _are_near(one: type[DOMNode], other: type[DOMNode]) -> bool:
    """Whether keys of both hold at once, for one is the other, or everywhere but in a dialog."""
    if issubclass(one, other) or issubclass(other, one):
        return True
    hidden = issubclass(one, ModalScreen) or issubclass(other, ModalScreen)
    return not hidden and (issubclass(one, App) or issubclass(other, App))
