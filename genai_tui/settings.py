"""Where files live, and what the user prefers: command line, environment, then the TOML file."""

import os
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import platformdirs

APP = "genai-tui"


class SettingsError(ValueError):
    """A settings file that cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may set in ``settings.toml``.

    Attributes:
        runs: folder of the runs; empty is the user's data folder.
        theme: name of a Textual theme.
        graphics: how pictures are drawn: auto, kitty, sixel, octant, quadrant, half or ascii.
        smoothing: weight of the exponential smoothing of curves, from 0 to 0.99.
    """

    runs: str = ""
    theme: str = "textual-dark"
    graphics: str = "auto"
    smoothing: float = 0.6


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
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error})") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from None
    return _checked(path, table)


def _checked(path: Path, table: dict[str, object]) -> Settings:
    defaults = Settings()
    known = {entry.name: getattr(defaults, entry.name) for entry in fields(Settings)}
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{path}: unknown setting {key!r}; there are {', '.join(known)}")
        wanted = (int, float) if isinstance(known[key], float) else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise SettingsError(f"{path}: {key} must be like {known[key]!r}, not {value!r}")
    settings = replace(defaults, **table)  # pyright: ignore[reportArgumentType]
    if not 0 <= settings.smoothing < 1:
        raise SettingsError(f"{path}: smoothing must be from 0 to 0.99, not {settings.smoothing}")
    return settings


def runs_dir(override: Path | str | None = None) -> Path:
    """Where runs live: ``override``, GENAI_TUI_RUNS, the settings, the user's data folder."""
    chosen = override or os.environ.get("GENAI_TUI_RUNS") or load().runs
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir(APP)) / "runs"


def state_dir() -> Path:
    """What the studio remembers by itself, such as how charts are arranged."""
    return Path(os.environ.get("GENAI_TUI_STATE") or platformdirs.user_state_dir(APP))


def cache_dir() -> Path:
    """What can be made again: the catalogue, downloaded data."""
    return Path(os.environ.get("GENAI_TUI_CACHE") or platformdirs.user_cache_dir(APP))
