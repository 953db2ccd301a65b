"""Where files live: the command line, then the environment, then the file, then the default."""

from pathlib import Path

import pytest

from genai_tui import settings
from genai_tui.settings import Settings, SettingsError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("GENAI_TUI_SETTINGS", str(path))
    monkeypatch.delenv("GENAI_TUI_RUNS", raising=False)
    return path


def test_without_a_file_the_defaults_hold(file: Path) -> None:
    assert settings.load() == Settings()
    assert not file.exists()


def test_a_file_changes_what_it_names(file: Path) -> None:
    file.write_text('theme = "nord"\nsmoothing = 0\nruns = "~/here"\n')
    assert settings.load() == Settings(theme="nord", smoothing=0, runs="~/here")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("theme = ", "Invalid value"),
        (
            'colour = "red"',
            "unknown setting 'colour'; there are runs, theme, graphics, unicode, smoothing",
        ),
        ("theme = 3", "theme must be like 'textual-dark', not 3"),
        ("smoothing = true", "smoothing must be like 0.6, not true"),
        ('smoothing = "much"', "smoothing must be like 0.6, not 'much'"),
        ("smoothing = 1.0", "smoothing must be from 0 to 0.99, not 1.0"),
        ("smoothing = -0.1", "smoothing must be from 0 to 0.99"),
        ("smoothing = nan", "smoothing must be from 0 to 0.99"),
        ("theme = [1]", "theme must be like"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert str(refused.value).startswith(f"{file}: ")
    assert sentence in str(refused.value)


def test_a_file_that_cannot_be_read_is_one_sentence(file: Path) -> None:
    file.write_bytes(b"theme = '\xff'")
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load()
    file.unlink()
    file.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load()


def test_the_folder_of_the_runs_is_chosen_in_order(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.runs_dir().name == "runs"
    file.write_text(f'runs = "{tmp_path}/from-file"\n')
    assert settings.runs_dir() == tmp_path / "from-file"
    monkeypatch.setenv("GENAI_TUI_RUNS", str(tmp_path / "from-environment"))
    assert settings.runs_dir() == tmp_path / "from-environment"
    assert settings.runs_dir(tmp_path / "asked") == tmp_path / "asked"


def test_a_folder_is_absolute_and_of_a_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert settings.runs_dir("~/runs") == Path("/home/somebody/runs")
    assert settings.runs_dir("runs") == Path.cwd() / "runs"


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENAI_TUI_CACHE", str(tmp_path))
    assert settings.cache_dir() == tmp_path
    monkeypatch.delenv("GENAI_TUI_CACHE")
    assert settings.cache_dir().name == "genai-tui"


def test_one_setting_is_written_and_all_else_in_the_file_stays(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text('theme = "nord"  # mine\n')
    file.chmod(0o640)
    assert settings.save("smoothing", 0.3) == Settings(theme="nord", smoothing=0.3)
    assert settings.save("runs.new", "N", settings.KEYS).keys == {"runs.new": "N"}
    assert (
        file.read_text() == 'theme = "nord"  # mine\nsmoothing = 0.3\n\n[keys]\n"runs.new" = "N"\n'
    )
    assert settings.save("theme", None) == settings.load()
    assert settings.load().theme == Settings().theme
    assert file.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_file_that_lives_elsewhere_stays_a_link(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "genai.toml"
    kept.parent.mkdir()
    kept.write_text("")
    file.symlink_to(kept)
    settings.save("theme", "nord")
    assert file.is_symlink()
    assert kept.read_text() == 'theme = "nord"\n'


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("graphics", "photo", "graphics must be one of auto, kitty"),
        ("refresh", 0.01, "refresh must be from 0.1 to 60, not 0.01"),
        ("meter", "yes", "meter must be like false, not 'yes'"),
        ("colour", "red", "unknown setting 'colour'"),
    ],
)
def test_a_wrong_value_is_refused_and_not_written(
    file: Path, name: str, value: str | float, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        settings.save(name, value)
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("GENAI_TUI_SETTINGS", str(tmp_path / "blocked" / "settings.toml"))
    with pytest.raises(SettingsError, match="cannot be"):
        settings.save("theme", "nord")


@pytest.mark.parametrize("text", ["keys = 3", '[keys]\nhelp = ""', "[keys]\nhelp = 1"])
def test_keys_are_a_table_of_texts(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match="key"):
        settings.load()


def test_the_file_of_the_docs_can_be_used(file: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "terminal.md"
    file.write_text(page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0])
    assert settings.load().keys["move.down"] == "down,j,ctrl+n"
