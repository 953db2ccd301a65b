"""The command that the form shows is the one that a shell understands the same way."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.records import SampleRequest
from genai_tui.command_line import in_store, sample_words, train_words, wrapped
from genai_tui.settings import settings_file

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)


def parsed(command: str) -> dict[str, list[str]]:
    """The options of a command as the command line's parser splits them."""
    words = shlex.split(command)
    assert words[:2] == ["genai-tui", "train"]
    found: dict[str, list[str]] = {"model": [words[2]]}
    rest = iter(words[3:])
    for word in rest:
        flag, joined, value = word.partition("=")
        found.setdefault(flag, []).append(value if joined else next(rest))
    return found


@given(settings=st.dictionaries(NAMES, TEXTS), dataset=TEXTS, name=TEXTS, seed=st.integers(0, 999))
def test_parsing_the_command_gives_the_settings_back(
    settings: dict[str, str], dataset: str, name: str, seed: int
) -> None:
    found = parsed(" ".join(train_words("vae/conv", dataset, settings, name=name, seed=seed)))
    assert dict(pair.split("=", 1) for pair in found.get("--set", [])) == settings
    assert found.get("--data", [""]) == [dataset]
    assert found.get("--name", [""]) == [name]
    assert found.get("--seed", ["0"]) == [str(seed)]
    assert "--device" not in found


def test_what_is_not_said_is_the_default() -> None:
    assert train_words("vae/conv", "", {}) == ["genai-tui train vae/conv"]
    assert train_words("gan/dcgan", "my data", {"lr": "1e-3"}, device="cuda:0") == [
        "genai-tui train gan/dcgan",
        "--data 'my data'",
        "--device cuda:0",
        "--set lr=1e-3",
    ]


def test_a_command_leads_to_the_store_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_TUI_RUNS", str(tmp_path / "usual"))
    assert in_store("genai-tui runs", tmp_path / "usual") == "genai-tui runs"
    other = tmp_path / "an other"
    assert in_store("genai-tui runs", other) == f"genai-tui --runs '{other}' runs"
    monkeypatch.chdir(tmp_path)
    assert in_store("genai-tui runs", Path("an other")) == f"genai-tui --runs '{other}' runs"


def test_nothing_is_assumed_of_settings_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENAI_TUI_RUNS")
    settings_file().write_text("= no TOML")
    assert in_store("genai-tui runs", tmp_path) == f"genai-tui --runs {tmp_path} runs"


@given(settings=st.dictionaries(NAMES, TEXTS), width=st.integers(10, 120))
def test_wrapping_moves_words_but_changes_none(settings: dict[str, str], width: int) -> None:
    words = train_words("vae/conv", "fashion-mini", settings)
    lines = wrapped(words, width)
    assert all(line.endswith(" \\") for line in lines[:-1])
    bare = [line.removesuffix(" \\").removeprefix("  ") for line in lines[:-1]]
    assert " ".join([*bare, lines[-1].removeprefix("  ")]) == " ".join(words)
    for line in lines:
        alone = line.removesuffix(" \\").removeprefix("  ")
        assert len(line) <= width or alone in words


def test_a_shell_reads_the_wrapped_lines_as_one_command() -> None:
    words = train_words(
        "vae/conv", "/data/it's here", {"lr": "1e-3", "note": "a\\b $HOME"}, name="-x"
    )
    script = "genai-tui() { printf '%s\\n' \"$@\"; }\n" + "\n".join(wrapped(words, 20))
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        *("train", "vae/conv", "--data", "/data/it's here", "--name=-x"),
        *("--set", "lr=1e-3", "--set", "note=a\\b $HOME"),
    ]


def test_a_shell_reads_the_command_of_samples_as_it_was_meant() -> None:
    prompt = "KING:\n\tO 'tis\x1b[1m\\n"
    request = SampleRequest(
        count=4, seed=7, prompt=prompt, steps=20, guidance=-1.5, interpolate=True
    )
    words = sample_words("a run", 500, request, labels=["T-shirt/top", "-x"])
    script = "genai-tui() { printf '%s\\0' \"$@\"; }\n" + "\n".join(wrapped(words, 30))
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split("\0")[:-1] == [
        *("sample", "a run", "--step", "500", "--count", "4", "--seed", "7"),
        *(f"--prompt={prompt}", "--sampler-steps", "20", "--guidance=-1.5"),
        *("--interpolate", "--label", "T-shirt/top", "--label=-x", "--out", "drawn"),
    ]
