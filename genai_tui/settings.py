"""Where files live, and what the user prefers: command line, environment, then the TOML file."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, cast, get_type_hints

import platformdirs
from msgspec import Struct

APP = "genai-tui"
Scalar = str | float | bool
KEYS = "keys"
"""The table of the keys that the user has chosen, by what they are bound to."""
NOTIFY = ("auto", "osc9", "osc777", "bell", "off")
UNICODE = ("auto", "yes", "no")
WAYS = ("auto", "kitty", "sixel", "octant", "quadrant", "half", "ascii")


class SettingsError(ValueError):
    """A settings file that cannot be used; the message is one sentence."""


class Meaning(Struct, frozen=True):
    """What a setting is for, and what it may be: one of ``choices``, or a number in bounds."""

    phrase: str
    choices: tuple[str, ...] = ()
    least: float = 0.0
    most: float = 0.0
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may set in ``settings.toml``. A new setting is one line here."""

    runs: Annotated[str, Meaning("folder of the runs; empty is the user's data folder")] = ""
    theme: Annotated[str, Meaning("colours of the studio")] = "textual-dark"
    graphics: Annotated[
        str, Meaning("how pictures are drawn; auto asks the terminal", choices=WAYS)
    ] = "auto"
    unicode: Annotated[
        str, Meaning("letters beyond ASCII; auto goes by locale and terminal", choices=UNICODE)
    ] = "auto"
    smoothing: Annotated[
        float, Meaning("weight of the smoothing of curves", least=0.0, most=0.99, step=0.05)
    ] = 0.6
    refresh: Annotated[
        float,
        Meaning("seconds between two paintings of charts", least=0.1, most=60.0, step=0.1),
    ] = 0.3
    low_bandwidth: Annotated[
        bool, Meaning("for slow lines: one frame a second at most, pictures on demand")
    ] = False
    meter: Annotated[bool, Meaning("show how many bytes a second the terminal gets")] = False
    notify: Annotated[
        str,
        Meaning(
            "how alerts are told: the terminal's notification and bell, or less", choices=NOTIFY
        ),
    ] = "auto"
    mute: Annotated[
        str, Meaning('kinds of alerts that are shown and not told, as "plateau, spike"')
    ] = ""
    alert_command: Annotated[
        str,
        Meaning("run for an alert, without a shell, the alert as JSON on its standard input"),
    ] = ""
    exports: Annotated[
        str, Meaning("folder of what is exported; empty is the working directory")
    ] = ""
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


MEANINGS: dict[str, Meaning] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if name != KEYS
}
"""What every setting but the keys means, by its name."""


def settings_file() -> Path:
    return Path(
        os.environ.get("GENAI_TUI_SETTINGS")
        or Path(platformdirs.user_config_dir(APP)) / "settings.toml"
    )


def load() -> Settings:
    """The user's settings; the defaults where there is no file.

    Raises:
        SettingsError: for a file that is no TOML, an unknown key or a value of the wrong type.
    """
    path = settings_file()
    text = _read(path)
    if not text:
        return Settings()
    import tomllib  # slow to load, and many have no such file

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from None
    return _checked(path, table)


def save(name: str, value: Scalar | None, table: str = "") -> Settings:
    """Writes one setting, or takes it out of the file, and leaves all else in it as it is.

    Args:
        name: of the setting, or of what a key is bound to.
        value: None is the default.
        table: KEYS for a key.

    Returns:
        What holds now.

    Raises:
        SettingsError: the value is wrong, or the file cannot be read, changed or written.
    """
    import tomllib  # which, like the next, the start need not wait for

    from genai_tui.toml_edit import EditError, with_value

    path = settings_file()
    try:
        text = with_value(_read(path), name, value, table)
    except EditError as error:
        raise SettingsError(f"{path}: {error}") from None
    settings = _checked(path, tomllib.loads(text))
    try:
        _replace(path.resolve(), text)  # a link to a file that is kept elsewhere stays a link
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror})") from None
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error})") from None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        if path.exists():
            new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _checked(path: Path, table: Mapping[str, object]) -> Settings:
    defaults = Settings()
    known = [entry.name for entry in fields(Settings)]
    for name, value in table.items():
        if name not in known:
            raise SettingsError(f"{path}: unknown setting {name!r}; there are {', '.join(known)}")
        wrong = _wrong_keys(value) if name == KEYS else _wrong(name, value, defaults)
        if wrong:
            raise SettingsError(f"{path}: {wrong}")
    return replace(defaults, **table)  # pyright: ignore[reportArgumentType]


def _wrong(name: str, value: object, defaults: Settings) -> str:
    """What is wrong with a value, as a sentence; empty if nothing."""
    default: object = getattr(defaults, name)
    meaning = MEANINGS[name]
    like = (int, float) if type(default) is float else type(default)
    if not isinstance(value, like) or isinstance(value, bool) != isinstance(default, bool):
        return f"{name} must be like {_shown(default)}, not {_shown(value)}"
    if meaning.choices and value not in meaning.choices:
        return f"{name} must be one of {', '.join(meaning.choices)}, not {value!r}"
    within = not isinstance(value, int | float) or meaning.least <= value <= meaning.most
    if meaning.most > meaning.least and not within:
        return f"{name} must be from {meaning.least:g} to {meaning.most:g}, not {value}"
    return ""


def _wrong_keys(value: object) -> str:
    if not isinstance(value, dict):
        return f'{KEYS} must be a table like: [{KEYS}] "runs.new" = "n"'
    for name, key in cast("dict[str, object]", value).items():
        if not isinstance(key, str) or not key.strip():
            return f'the key of {name} must be like "n" or "ctrl+n", not {_shown(key)}'
    return ""


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def runs_dir(override: Path | str | None = None) -> Path:
    """Where runs live: ``override``, GENAI_TUI_RUNS, the settings, the user's data folder."""
    chosen = override or os.environ.get("GENAI_TUI_RUNS") or load().runs
    return runs_folder(chosen)


def runs_folder(chosen: Path | str) -> Path:
    """The folder that the setting ``runs`` names."""
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir(APP)) / "runs"


def exports_dir(settings: Settings) -> Path:
    """Where exported files go."""
    return Path(settings.exports).expanduser().absolute() if settings.exports else Path.cwd()


def state_dir() -> Path:
    """What the studio remembers by itself, such as how charts are arranged."""
    return Path(os.environ.get("GENAI_TUI_STATE") or platformdirs.user_state_dir(APP))


def cache_dir() -> Path:
    """What can be made again: the catalogue, downloaded data."""
    return Path(os.environ.get("GENAI_TUI_CACHE") or platformdirs.user_cache_dir(APP))
