"""The whole studio on a real line: bytes of a pseudo-terminal, and what tmux has on its screen."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import build_runs
import pytest

from benchmarks.terminal import Terminal
from genai_tui.store import Run, Store

SECONDS = 60.0


@pytest.fixture
def run(store: Store) -> Run:
    return build_runs.build(store, "afar", step=2000)


def studio(store: Store, folder: Path, *words: str, answers: bool = True) -> Terminal:
    """The studio on a terminal of 100 x 30, for somebody who has seen the hints."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    (state / "tour-seen").touch()
    argv = [sys.executable, "-m", "genai_tui.cli", "--runs", str(store.root), *words]
    environment = {"GENAI_TUI_STATE": str(state), "COLUMNS": "100", "LINES": "30"}
    return Terminal(argv, columns=100, rows=30, environment=environment, answers=answers)


def test_a_studio_at_rest_sends_nothing_and_a_key_no_more_than_it_changes(
    store: Store, run: Run, tmp_path: Path
) -> None:
    with studio(store, tmp_path, "watch", run.id) as terminal:
        assert terminal.wait(lambda text: "step 2,000" in text, SECONDS)
        terminal.settle(1.5)
        whole = terminal.bytes
        assert terminal.listen(1.0) == 0
        terminal.forget()
        terminal.send(b"\t")
        terminal.settle(1.0)
        assert 0 < terminal.bytes < whole / 4


def test_a_spared_line_carries_no_picture_until_it_is_asked_for(
    store: Store, run: Run, tmp_path: Path
) -> None:
    with studio(store, tmp_path, "watch", run.id) as terminal:
        assert terminal.wait(lambda text: "step 2,000" in text, SECONDS)
        terminal.settle(1.5)
        usual = terminal.bytes
    with studio(store, tmp_path, "--low-bandwidth", "watch", run.id) as terminal:
        assert terminal.wait(lambda text: "pixels: g draws them" in text, SECONDS)
        assert terminal.wait(lambda text: "B/s" in text, SECONDS)
        assert terminal.bytes < usual * 0.6
        terminal.forget()
        terminal.send(b"g")
        assert terminal.wait(lambda text: text.count("▀") + text.count("▄") > 50, SECONDS)


LATE = (
    b"\x1b[?62;22c",
    b"\x1bP>|kitty(0.41.1)\x1b\\\x1b[6;20;10t\x1b[?1;0;256S\x1b[?62;4c",
    b"\x1bP>|foot(1.2",
    b"2)\x1b\\\x1b[?6",
    b"2;22c",
)


def test_what_a_terminal_answers_too_late_is_no_key(store: Store, run: Run, tmp_path: Path) -> None:
    """As over a line that stands still for a moment: the answer has a ``?`` in it."""
    with studio(store, tmp_path, "watch", run.id, answers=False) as terminal:
        assert terminal.wait(lambda text: "step 2,000" in text, SECONDS)
        terminal.settle(1.5)
        terminal.forget()
        for answer in LATE:
            terminal.send(answer)
            terminal.settle(0.3)
        assert terminal.bytes == 0
        terminal.send(LATE[0] + b"?")  # what is typed right behind one is a key
        assert terminal.wait(lambda text: "esc closes" in text, SECONDS)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs tmux on a server of its own; what it prints."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")

    def call(*words: str) -> str:
        command = ["tmux", "-u", "-S", f"{tmp_path}/socket", "-f", f"{tmp_path}/conf", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    yield call
    call("kill-server")


def test_tmux_has_the_whole_screen_at_every_size(
    store: Store, run: Run, tmp_path: Path, tmux: Callable[..., str]
) -> None:
    words = [sys.executable, "-m", "genai_tui.cli", "--runs", str(store.root), "--graphics", "half"]
    (tmp_path / "conf").write_text("set -g status off\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tour-seen").touch()
    told = [
        "env",
        "-u",
        "COLUMNS",
        "-u",
        "LINES",
        f"GENAI_TUI_STATE={tmp_path}/state",
        "COLORTERM=truecolor",
    ]
    tmux("new-session", "-d", "-x", "120", "-y", "40", shlex.join([*told, *words]))

    def until(fact: Callable[[str], object]) -> str:
        deadline = time.monotonic() + SECONDS
        while not fact(shown := tmux("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        return shown

    until(lambda shown: "afar" in shown and "▀" in shown)
    tmux("send-keys", "Enter")
    until(lambda shown: "step 2,000" in shown and "samples" in shown)
    for width, height in ((80, 24), (160, 50), (120, 40)):
        tmux("resize-window", "-x", str(width), "-y", str(height))
        shown = until(lambda shown, h=height: "help" in "".join(shown.splitlines()[h - 1 : h]))
        assert max(map(len, shown.splitlines())) <= width
    tmux("send-keys", "4")
    until(lambda shown: "low bandwidth" in shown)
    tmux("send-keys", "1")
    until(lambda shown: "runs" in shown.splitlines()[0])
