"""``--host``: what ssh is asked to do, and how what it says comes back."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from cli_tools import Outcome, outside

FAKE = """#!{python}
import json, os, subprocess, sys
words = sys.argv[1:]
json.dump(words, open(os.environ["ASKED"], "w"))
at = words.index("--")
sys.exit(subprocess.call(["/bin/sh", "-c", " ".join(words[at + 2 :])]))
"""
THERE = """#!/bin/sh
for word; do printf '[%s]' "$word"; done
printf ' %s' "$COLORTERM"
exit 7
"""


@pytest.fixture
def bins(tmp_path: Path) -> Path:
    """A folder for PATH with an ssh that runs on this machine what it should run on another."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(FAKE.format(python=sys.executable))
    (folder / "ssh").chmod(0o755)
    return folder


def environ(bins: Path) -> dict[str, str]:
    """No other program than sh and env is on the PATH, also after the profile of a login shell."""
    for name in ("sh", "env"):
        if not (bins / name).exists():
            (bins / name).symlink_to(f"/usr/bin/{name}")
    (bins / ".profile").write_text(f"PATH={shlex.quote(str(bins))}\n")
    asked = str(bins / "asked.json")
    return {"PATH": str(bins), "HOME": str(bins), "ASKED": asked, "COLORTERM": "truecolor"}


def ask(bins: Path, *words: str) -> Outcome:
    return outside(*words, runs=bins, code="", timeout=60, **environ(bins))


def install(bins: Path) -> None:
    (bins / "genai-tui").write_text(THERE)
    (bins / "genai-tui").chmod(0o755)


def test_the_words_arrive_as_they_were_typed_and_the_status_comes_back(bins: Path) -> None:
    install(bins)
    words = ["show", "a b", "$HOME; 'x'", "--", "--host", "y"]
    said = ask(bins, "--host", "ada@gpubox", *words)
    assert said.out == "".join(f"[{word}]" for word in words) + " truecolor"
    assert said.status == 7
    asked = json.loads((bins / "asked.json").read_text())
    assert asked[: asked.index("--") + 2] == ["-C", "--", "ada@gpubox"]


def test_the_option_may_stand_anywhere_and_the_others_go_along(bins: Path) -> None:
    install(bins)
    said = ask(bins, "runs", "--runs", "/there", "--host=box")
    assert said.out.startswith("[runs][--runs][/there]")


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "", "a b", "a\nb", "--"])
def test_what_is_no_host_is_refused_and_ssh_is_not_called(bins: Path, host: str) -> None:
    said = ask(bins, f"--host={host}")
    said.refused("--host takes USER@HOST")
    assert not (bins / "asked.json").exists()


def test_without_ssh_here_one_sentence_says_so(bins: Path) -> None:
    (bins / "ssh").unlink()
    ask(bins, "--host", "box").refused("needs ssh", status=1)


def test_without_the_program_there_one_sentence_says_so(bins: Path) -> None:
    said = ask(bins, "--host", "box")
    assert said.status == 127
    assert "there is no genai-tui on box; install it there" in said.err
