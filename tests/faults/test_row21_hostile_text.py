"""Row 21: hostile text in every field of a run, of a folder's name and of the command line.

No byte of it reaches the terminal as a command: not from a screen, a verb, a refusal or a
traceback, in a real pseudo-terminal and in tmux, whose title and paste buffer stay as they were. No
markup of it applies, no action of it runs, nothing crashes.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from waiting import until

from faults import hostile
from faults.hostile import PAYLOADS, SHOWN, hostile_run, obeyed, payload
from faults.scorecard import Entry
from faults.terminal import Terminal
from genai_tui import screens
from genai_tui.commands.root import app
from genai_tui.store import Run, Store
from genai_tui.visible import visible

MANY = Path(__file__).with_name("many_verbs.py")
STUDIO = [sys.executable, "-m", "genai_tui.cli", "--graphics", "quadrant"]


def _long(value: object) -> object:
    return pytest.param(value, marks=pytest.mark.faults_long)


NUMBERS = [0, *map(_long, range(1, len(PAYLOADS)))]
SILENT = {"serve", "demo"}
"""Verbs that show nothing of a run: one listens on a port, one trains what it brings along."""


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_payload_would_be_noticed(name: str) -> None:
    raw = PAYLOADS[name]
    markup = name in ("action", "markup")
    assert markup or obeyed(raw) or name == "wide"
    assert not obeyed(f"\x1b[31m{SHOWN}\x1b]9;genai-tui: {SHOWN}\x07")


def verbs(run: Run, number: int, folder: Path) -> list[list[str]]:
    """Every verb, on a hostile run and with hostile words."""
    word = payload(number).replace("\0", "")[:2000]
    out = str(folder / "out")
    return [
        ["runs", "--all"],
        ["runs", "--filter", word],
        ["runs", "--json"],
        ["show", run.id],
        ["show", run.id, "--json"],
        ["show", word],
        ["logs", run.id],
        ["compare", run.id, "20261122-101530-plain"],
        ["compare", run.id, word],
        ["tag", run.id],
        ["tag", run.id, f"+{word}"],
        ["note", run.id],
        ["note", run.id, word],
        ["rename", run.id, word],
        ["archive", word],
        ["stop", run.id],
        ["pause", run.id],
        ["resume", run.id, "--steps", "1"],
        ["checkpoint", run.id],
        ["set", run.id, f"{word}=1"],
        ["sample", run.id, "--out", out, "--prompt", word],
        ["sample", run.id, "--out", word],
        ["evaluate", run.id],
        ["evaluate", word],
        ["share", word],
        ["share", run.id, "--group", word],
        ["export", run.id, "--out", out, "--what", "jsonl"],
        ["export", run.id, "--out", out],
        ["delete", f"{word}-", "--yes"],  # without the dash some are the run's own name
        ["delete", run.id],
        ["watch", f"{word}-"],
        ["import", word],
        ["import", str(folder / "plan.json"), "--part", word],
        ["models", word],
        ["datasets", word],
        ["train", "vae/mlp", "--data", str(hostile.folder(folder, number)), "--detach"],
        ["train", "vae/mlp", "--set", f"{word}=1", "--detach"],
        ["gpus"],
        ["doctor"],
        [word],
        ["--runs", f"/nowhere/{word[:100]}", "runs"],
        ["--runs", f"/proc/{word[:100]}", "train", "vae/mlp", "--steps", "1", "--detach"],
        ["delete", run.id, "--yes"],
    ]


def test_every_verb_is_tried(store: Store, tmp_path: Path) -> None:
    run = Run(store.root / "20261122-101500-hostile")
    tried = {words[0] for words in verbs(run, 0, tmp_path)}
    names = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    assert names - SILENT <= tried


@pytest.mark.parametrize("number", NUMBERS)
def test_no_verb_passes_it_on(number: int, store: Store, tmp_path: Path, scorecard: Entry) -> None:
    run = hostile_run(store, number)
    commands = verbs(run, number, tmp_path)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(commands))
    environment = {"GENAI_TUI_RUNS": str(store.root), "COLUMNS": "120"}
    with Terminal([sys.executable, str(MANY), str(plan)], environment) as terminal:
        terminal.expect("[y/N]")
        terminal.press("n\n")
        terminal.wait(120)
    (tmp_path / "output").write_text(terminal.output)
    parts = re.split(r"\n=== \[", terminal.output)[1:]
    assert len(parts) == len(commands), terminal.output[-2000:]
    wrong = {part[:60]: found for part in parts if (found := obeyed(part))}
    assert not wrong
    assert "Traceback" not in terminal.output
    assert terminal.output.count(SHOWN) > 20
    scorecard(row=21, tried=len(commands), lost=len(wrong))


LEAVE = "\x11"
ESCAPE = "\x1b[27u"
"""As terminals with the keyboard protocol send it: of a bare one and the key after it a studio that
is kept from reading for a moment makes alt and that key."""
TYPED = [
    ("?", "this screen", "help"),
    (ESCAPE, "new run", "runs"),
    ("\r", "smoothing", "run"),
    ("?", "this screen", ""),
    (ESCAPE, "smoothing", ""),
    ("A", "alert", "alerts"),
    ("q", "smoothing", ""),
    ("v", "blink", "samples"),
    ("?", "Copy its path", ""),
    (ESCAPE, "blink", ""),
    ("e", "note", "ask_note"),
    (ESCAPE, "", ""),
    ("q", "smoothing", ""),
    ("F", "fork of", "new_run"),
    (ESCAPE, "smoothing", ""),
    ("K", "No checkpoint yet", "checkpoints"),
    ("q", "smoothing", ""),
    ("p", "checkpoint", "playground"),
    (ESCAPE, "smoothing", ""),
    ("q", "new run", ""),
    ("t", "Tags of", "dialogs"),
    (ESCAPE, "new run", ""),
    ("e", "Note on", ""),
    (ESCAPE, "new run", ""),
    ("R", "New name", ""),
    (ESCAPE, "new run", ""),
    ("d", "for good", ""),
    (ESCAPE, "new run", ""),
    ("w", "Columns:", "columns"),
    (ESCAPE, "new run", ""),
    ("o", "Sort by", "sort"),
    (ESCAPE, "new run", ""),
    ("m", "1 marked", ""),
    ("j", "", ""),
    ("m", "2 marked", ""),
    ("C", "scalars", "compare"),
    ("q", "new run", ""),
    ("z", "by model", ""),
    ("2", "gallery", "gallery"),
    ("q", "new run", ""),
    ("4", "settings", "settings"),
    ("\r", "runs:", "ask_key"),
    (ESCAPE, "", ""),
    ("q", "new run", ""),
    ("\x10", "Search", ""),  # the palette
    (SHOWN, SHOWN, ""),
    (ESCAPE, "new run", ""),
    ("3", "processes", "gpus"),
]
"""Keys, what is then shown, and the file of screens/ that is seen."""
FIXED = {"too_small", "choose", "signal_dialog"}
"""Screens that are not opened: a sentence, a choice among other samples, a process to signal."""


def test_every_screen_is_tried() -> None:
    files = Path(screens.__file__).parent.glob("*.py")
    opened = {
        path.stem for path in files if re.search(r"^    (DEFAULT_)?CSS", path.read_text(), re.M)
    }
    assert opened
    assert opened - FIXED <= {screen for _, _, screen in TYPED}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_screen_passes_it_on(
    number: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    hostile_run(store, number)
    hostile_run(store, number + 8, "image")
    wrong: list[str] = []
    environment = {"GENAI_TUI_STATE": str(tmp_path / "state")}  # how it was left is remembered
    with Terminal([*STUDIO, "--runs", str(store.root)], environment) as terminal:
        terminal.expect("runs", visible(payload(number))[:6])  # for which a name has room
        for step, (keys, word, _) in enumerate(TYPED):
            before = len(terminal.output)
            terminal.press(keys)
            try:
                terminal.expect(*word.split(), since=before)
            except AssertionError as error:
                error.add_note(f"step {step}: {keys!r}")
                raise
            terminal.settle(quiet=0.08)
            wrong += [f"after {keys!r}: {found}" for found in obeyed(terminal.output[before:])]
        assert not wrong
        assert terminal.process.poll() is None
        terminal.press(LEAVE)
        assert terminal.wait() == 0
    assert not obeyed(terminal.output)
    assert "Traceback" not in terminal.output
    scorecard(row=21, tried=len(TYPED), lost=len(wrong))


def test_a_value_without_end_keeps_nobody_waiting(scorecard: Entry) -> None:
    """In the form of a fork, and beside others: a screen that cuts it hears no key meanwhile."""
    code = (
        "from genai_tui import table; from genai_tui.widgets import form_rows;"
        f"text = {SHOWN!r} * 1_000_000;"
        "table.cell(text, 40); form_rows.shorten(text, 40, keep_end=True);"
        "table.widths_of([[text, text]], 80)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    scorecard(row=21, tried=3, lost=0)


CRASHES = {
    "a verb": "store.Store.runs = boom; sys.argv[1:] = ['runs']",
    "a thread of a verb": (
        "import threading; store.Store.runs = lambda self: in_thread(boom) or [];"
        "sys.argv[1:] = ['runs']"
    ),
    "the studio": "from genai_tui import app; app.StudioApp.on_ready = boom",
}
CRASH = """
import sys, threading
from genai_tui import store
from genai_tui.cli import main
hostile = open(sys.argv[1], newline="").read()
sys.argv[1:] = ["--graphics", "quadrant"]
def boom(*_):
    found = hostile
    raise RuntimeError("before " + found)
def in_thread(work):
    thread = threading.Thread(target=work, name=hostile)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("where", CRASHES)
@pytest.mark.parametrize("name", ["c1", *map(_long, [n for n in PAYLOADS if n != "c1"])])
def test_no_traceback_passes_it_on(
    name: str, where: str, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    code = f"{CRASH}\n{CRASHES[where]}\nmain()"
    (tmp_path / "hostile").write_text(PAYLOADS[name], newline="")
    command = [sys.executable, "-c", code, str(tmp_path / "hostile")]
    with Terminal(command, {"GENAI_TUI_RUNS": str(store.root)}) as terminal:
        terminal.wait()
    wrong = obeyed(terminal.output)
    assert not wrong
    assert "RuntimeError" in terminal.output
    assert SHOWN in terminal.output
    scorecard(row=21, tried=1, lost=len(wrong))


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """A tmux of its own that does all that it is told."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]
    subprocess.run(
        [*command, "new-session", "-d", "-s", "one", "-x", "120", "-y", "40", "sh"], check=True
    )
    for option in ("set-clipboard", "allow-passthrough", "allow-rename", "remain-on-exit"):
        subprocess.run([*command, "set", "-g", option, "on"], check=True)
    subprocess.run([*command, "set", "-g", "automatic-rename", "off"], check=True)
    yield command
    subprocess.run([*command, "kill-server"], check=False)  # its last pane may have ended


@dataclass(frozen=True)
class Pane:
    """The one pane of a tmux: what it shows, and what could be changed behind its user's back."""

    tmux: list[str]

    def _said(self, *words: str) -> str:
        done = subprocess.run([*self.tmux, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def run(self, *command: str) -> None:
        self._said(
            "respawn-pane", "-k", "-t", "one", shlex.join(command) + "; echo; echo done; cat"
        )

    def press(self, key: str) -> None:
        self._said("send-keys", "-t", "one", key)

    @property
    def shown(self) -> str:
        return self._said("capture-pane", "-p", "-t", "one")

    @property
    def behind(self) -> tuple[str, str]:
        """Titles, and what would be pasted."""
        titles = self._said("list-panes", "-a", "-F", "#{pane_title} #{window_name}")
        return titles, self._said("list-buffers")


def test_tmux_would_obey(tmux: list[str]) -> None:
    """The control: what is printed raw does change the title and what is pasted."""
    pane = Pane(tmux)
    pane.run("printf", "%s", PAYLOADS["title"] + PAYLOADS["clipboard"] + PAYLOADS["tmux-name"])
    until(lambda: "done" in pane.shown)
    titles, buffers = pane.behind
    assert titles.count(SHOWN) == 2
    assert SHOWN in buffers


def test_tmux_keeps_its_title_and_its_buffer(
    tmux: list[str], store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    run = hostile_run(store, 0)
    pane = Pane(tmux)
    pane.run("true")
    until(lambda: "done" in pane.shown)
    before = pane.behind
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([["runs"], ["show", run.id], ["logs", run.id], ["note", run.id]]))
    pane.run("env", f"GENAI_TUI_RUNS={store.root}", sys.executable, str(MANY), str(plan))
    until(lambda: "done" in pane.shown)
    assert SHOWN in pane.shown
    assert pane.behind == before
    pane.run("env", f"GENAI_TUI_RUNS={store.root}", *STUDIO)
    for key, word in [("", SHOWN), ("Enter", "smoothing"), ("?", "this screen")]:
        if key:
            pane.press(key)
        until(partial(_is_shown, pane, word))
    assert pane.behind == before
    pane.press("C-q")
    until(lambda: "done" in pane.shown)
    assert pane.behind == before
    scorecard(row=21, tried=len(PAYLOADS), lost=0)


def _is_shown(pane: Pane, word: str) -> bool:
    return word in pane.shown
