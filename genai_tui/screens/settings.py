"""What the user prefers: every setting and every key with its meaning, changed at once."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.keys import format_key
from textual.screen import Screen
from textual.widgets import Input
from textual.widgets.option_list import Option

from genai_tui import settings as preferences
from genai_tui.images.detect import Graphics
from genai_tui.keymap import Action, actions, taken
from genai_tui.screens.ask_key import AskKey
from genai_tui.screens.dialogs import AskText
from genai_tui.settings import KEYS, MEANINGS, Scalar, Settings, SettingsError
from genai_tui.visible import visible
from genai_tui.widgets.field import entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.setting_rows import Rows, SettingSearch, row, words_of

_KEY = "key "
"""Begins the ids of lines that are about a key."""


class Studio(Protocol):
    """What this needs of the App."""

    settings: Settings
    graphics: Graphics

    @property
    def available_themes(self) -> Mapping[str, object]: ...


class SettingsScreen(Screen[None]):
    """One line a setting, then one a key. What is changed holds at once, and is in the file."""

    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "edit", "change", tooltip="Change the value or the key", id="settings.edit"
        ),
        Binding(
            "slash",
            "search",
            "search",
            tooltip="Show only what words are about",
            id="settings.find",
        ),
        Binding(
            "left", "change(-1)", "value before", tooltip="The value before", id="settings.before"
        ),
        Binding("right", "change(1)", "next value", tooltip="The next value", id="settings.next"),
        Binding(
            "delete,backspace",
            "restore",
            "default",
            tooltip="Back to what it is by itself",
            id="settings.restore",
        ),
        Binding("q,escape", "back", "back", tooltip="Back to where you were", id="settings.q"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._actions: list[Action] = []
        self._words: list[str] = []  # that what is shown is about

    def compose(self) -> ComposeResult:
        yield Rows(id="rows", markup=False)
        yield SettingSearch(placeholder="words, such as theme or next chart", compact=True)
        yield KeyBar()

    def on_mount(self) -> None:
        entitle(self._rows, "settings", visible(str(preferences.settings_file())))
        self.query_one(SettingSearch).display = False
        self._put_rows()
        self.watch(self.app, "graphics", self._show_graphics, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
        self._find_keys()

    @work
    async def _find_keys(self) -> None:
        self._actions = await asyncio.to_thread(actions)
        self._put_rows()

    # ------------------------------------------------------------------ what keys do

    async def action_change(self, by: int) -> None:
        name = self._chosen
        if name not in MEANINGS:
            return
        value: object = getattr(self._settings, name)
        values = self._values(name)
        meaning = MEANINGS[name]
        if isinstance(value, bool):
            await self._save(name, not value)
        elif values:
            here = values.index(str(value)) if value in values else 0
            await self._save(name, values[(here + by) % len(values)])
        elif isinstance(value, int | float):
            near = round(value + by * meaning.step, 6)
            await self._save(name, min(max(near, meaning.least), meaning.most))

    def on_option_list_option_selected(self) -> None:
        self.action_edit()

    def action_edit(self) -> None:
        name = self._chosen
        if name.startswith(_KEY):
            self._ask_key(name.removeprefix(_KEY))
        elif name in MEANINGS:
            self._ask_value(name)

    async def action_restore(self) -> None:
        name = self._chosen
        if name.startswith(_KEY):
            await self._save(name.removeprefix(_KEY), None, KEYS)
        elif name in MEANINGS:
            await self._save(name, None)

    @work
    async def _ask_value(self, name: str) -> None:
        value: object = getattr(self._settings, name)
        if isinstance(value, bool) or self._values(name):
            await self.action_change(1)
            return
        question = f"{name}: {MEANINGS[name].phrase}"
        is_number = isinstance(value, int | float)
        ask = AskText(question, str(value), _no_number if is_number else _no_problem)
        typed = await self.app.push_screen_wait(ask)  # pyright: ignore[reportUnknownMemberType]
        if typed is not None:
            await self._save(name, float(typed) if is_number else typed)

    @work
    async def _ask_key(self, name: str) -> None:
        asking = next(one for one in self._actions if one.id == name)
        key = await self.app.push_screen_wait(AskKey(asking.what))  # pyright: ignore[reportUnknownMemberType]
        if key is None:
            return
        other = taken(self._actions, dict(self._settings.keys), name, key)
        if other is not None:
            self._refuse(f"{format_key(key)} is taken: {other.what}.")
        else:
            await self._save(name, key, KEYS)

    # ------------------------------------------------------------------ searching

    def action_search(self) -> None:
        """What is typed next says which lines are shown."""
        search = self.query_one(SettingSearch)
        search.display = True
        search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._words = event.value.lower().split()
        self._put_rows()

    def on_input_submitted(self) -> None:
        self._rows.focus()

    def on_setting_search_left(self) -> None:
        search = self.query_one(SettingSearch)
        search.value, search.display = "", False
        self._rows.focus()

    def action_back(self) -> None:
        """Shows all lines again, or goes back."""
        if self._words:
            self.on_setting_search_left()
        else:
            self.dismiss()

    # ------------------------------------------------------------------ what is kept

    async def _save(self, name: str, value: Scalar | None, table: str = "") -> None:
        """Writes a value in a thread; keys that come meanwhile wait for their turn."""
        try:
            saved = await asyncio.to_thread(preferences.save, name, value, table)
        except SettingsError as error:
            where = f"{preferences.settings_file()}: "  # is at the bottom of the screen
            self._refuse(str(error).removeprefix(where))
            return
        changed: dict[str, Any] = {table or name: getattr(saved, table or name)}
        self._studio.settings = replace(self._settings, **changed)  # else as it was started
        if self.is_attached:
            self._show_rows()

    def _refuse(self, sentence: str) -> None:
        self.notify(visible(sentence), severity="error", markup=False)

    # ------------------------------------------------------------------ what is shown

    def _show_rows(self) -> None:
        for name in MEANINGS:
            self._rows.renew(name, self._setting_row(name))
        for action in self._actions:
            self._rows.renew(_KEY + action.id, self._key_row(action))

    def _show_graphics(self) -> None:
        self._rows.renew("graphics", self._setting_row("graphics"))

    def _put_rows(self) -> None:
        """Shows the lines that hold every word, in their name, value or meaning."""
        settings = [(name, self._setting_row(name)) for name in MEANINGS]
        keys = [(_KEY + one.id, self._key_row(one)) for one in self._actions]
        self._rows.put([("", self._found(settings)), ("keys", self._found(keys))])

    def _found(self, lines: Sequence[tuple[str, Content]]) -> list[Option]:
        return [
            Option(line, id_)
            for id_, line in lines
            if all(word in line.plain.lower() for word in self._words)
        ]

    def _setting_row(self, name: str) -> Content:
        value: object = getattr(self._settings, name)
        phrase = MEANINGS[name].phrase
        if name == "graphics":
            phrase = f"{phrase}; now {self._studio.graphics.mode} ({self._studio.graphics.why})"
        return row(
            name.replace("_", " "), words_of(value), phrase, value != getattr(Settings(), name)
        )

    def _key_row(self, action: Action) -> Content:
        keys = self._settings.keys.get(action.id, action.keys)
        shown = " ".join(format_key(key) for key in keys.split(","))
        return row(action.id, shown, action.what, action.id in self._settings.keys)

    @property
    def _chosen(self) -> str:
        return self._rows.chosen

    @property
    def _rows(self) -> Rows:
        return self.query_one(Rows)

    def _values(self, name: str) -> list[str]:
        if name == "theme":
            return sorted(self._studio.available_themes)
        return list(MEANINGS[name].choices)

    @property
    def _settings(self) -> Settings:
        return self._studio.settings

    @property
    def _studio(self) -> Studio:
        return cast(Studio, self.app)


def _no_number(text: str) -> str:
    """What is wrong with a text that shall be a number; empty if nothing."""
    try:
        return "" if math.isfinite(float(text)) else "a number"
    except ValueError:
        return "a number"


def _no_problem(text: str) -> str:
    return ""
