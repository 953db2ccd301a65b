"""What detection finds in a real pseudo-terminal, with a responder in the terminal's place."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from genai_tui.images import detect as detecting
from genai_tui.images.detect import MODES, detect
from genai_tui.images.query import Terminal, Tmux

ROOT = Path(__file__).parent.parent
CHILD = """
import json, os, select, sys, time
if os.isatty(0):
    os.open(os.ttyname(0), os.O_RDWR)  # makes it the controlling terminal
from dataclasses import asdict
from genai_tui.images.detect import detect
start = time.monotonic()
found = asdict(detect(timeout=float(sys.argv[2])))
found["seconds"] = time.monotonic() - start
if os.isatty(0):
    import tty
    tty.setcbreak(0)
    found["left"] = os.read(0, 99).decode() if select.select([0], [], [], 0)[0] else ""
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""
KITTY = b"\x1bP>|kitty(0.41.1)\x1b\\\x1b[6;18;9t\x1b[?62;c"
XTERM = b"\x1bP>|XTerm(379)\x1b\\\x1b[?64;1;2;4;22c"


@dataclass
class Answer:
    """What the terminal sends when asked: parts, each after some seconds."""

    parts: tuple[tuple[float, bytes], ...] = ()


def run(
    tmp_path: Path,
    answer: Answer,
    environ: dict[str, str] | None = None,
    stdin: int | None = None,
    timeout: float = 1.0,
) -> dict[str, object]:
    """Detect in a process of its own on a pseudo-terminal; what it found, and what was asked."""
    terminal, inside = pty.openpty()
    base = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "found.json"), str(timeout)],
        stdin=inside if stdin is None else stdin,
        stdout=inside,
        env={**base, "PYTHONPATH": str(ROOT), **(environ or {})},
        start_new_session=True,
    )
    os.close(inside)
    asked = respond(terminal, answer)
    assert process.wait(timeout=10) == 0
    os.close(terminal)
    found: dict[str, object] = json.loads((tmp_path / "found.json").read_text())
    return {**found, "asked": asked}


def respond(terminal: int, answer: Answer) -> bytes:
    """Read until the process ends; once it asks for device attributes, send the answer."""
    asked = b""
    while select.select([terminal], [], [], 10)[0]:
        try:
            asked += os.read(terminal, 4096)
        except OSError:  # the process is gone
            break
        if asked.endswith(b"\x1b[c"):
            for delay, part in answer.parts:
                time.sleep(delay)
                os.write(terminal, part)
    return asked


def test_kitty_shows_pixels_and_tells_its_cells(tmp_path: Path) -> None:
    found = run(tmp_path, Answer(((0, KITTY),)))
    assert (found["mode"], found["cell"], found["why"]) == ("kitty", [9, 18], "kitty(0.41.1)")
    assert (found["typed"], found["left"], found["in_tmux"]) == ("", "", False)


def test_a_terminal_that_draws_sixels_and_tells_its_cells_gets_them(tmp_path: Path) -> None:
    cell, registers = b"\x1b[6;20;10t", b"\x1b[?1;0;1024S"
    found = run(tmp_path, Answer(((0, b"a" + registers + cell + XTERM),)))
    assert (found["mode"], found["cells"], found["why"]) == ("sixel", "quadrant", "XTerm(379)")
    assert (found["cell"], found["colors"]) == ([10, 20], 64)
    assert f"{found['typed']}{found['left']}" == "a"


def test_without_the_size_of_its_cells_sixels_cannot_be_placed(tmp_path: Path) -> None:
    found = run(tmp_path, Answer(((0, b"\x1b[?1;3;0S" + XTERM),)))
    assert (found["mode"], found["typed"]) == ("quadrant", "")
    assert "size of a cell" in str(found["hint"])


@pytest.mark.parametrize(("registers", "mode"), [(4, "quadrant"), (16, "sixel")])
def test_few_colour_registers_are_worse_than_cells(
    tmp_path: Path, registers: int, mode: str
) -> None:
    told = b"\x1b[?1;0;%dS\x1b[6;20;10t" % registers
    found = run(tmp_path, Answer(((0, told + XTERM),)))
    assert found["mode"] == mode
    assert mode != "sixel" or found["colors"] == registers


def test_a_silent_terminal_costs_the_timeout_and_gets_half_blocks(tmp_path: Path) -> None:
    found = run(tmp_path, Answer(((0, b"x"),)), timeout=0.3)
    assert (found["mode"], found["typed"]) == ("half", "x")
    seconds = found["seconds"]
    assert isinstance(seconds, float)
    assert 0.25 < seconds < 1


def test_slow_answers_are_awaited_and_keys_typed_meanwhile_kept(tmp_path: Path) -> None:
    parts = ((0, b"ab\x1b[A"), (0.15, KITTY[:9]), (0.05, KITTY[9:] + "é".encode()))
    found = run(tmp_path, Answer(parts))
    assert found["mode"] == "kitty"
    assert f"{found['typed']}{found['left']}" == "ab\x1b[Aé"


def test_an_answer_cut_off_by_the_deadline_is_not_taken_for_keys(tmp_path: Path) -> None:
    found = run(tmp_path, Answer(((0, b"q\x1bP>|kit"),)), timeout=0.2)
    assert (found["mode"], found["typed"]) == ("half", "q")


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    found = run(tmp_path, Answer(((0, KITTY),)), stdin=subprocess.DEVNULL)
    assert (found["mode"], found["asked"]) == ("quadrant", b"")


@pytest.mark.parametrize(
    ("term", "mode"), [("dumb", "half"), ("linux", "half"), ("screen-256color", "quadrant")]
)
def test_terminals_that_would_print_the_question_are_not_asked(
    tmp_path: Path, term: str, mode: str
) -> None:
    found = run(tmp_path, Answer(((0, KITTY),)), {"TERM": term})
    assert (found["mode"], found["asked"]) == (mode, b"")


def stub_tmux(tmp_path: Path, *lines: str) -> dict[str, str]:
    """A `tmux` whose n-th call prints the n-th line, the last one ever after."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "tmux"
    answers = "\n".join(f"[ $n -le {n} ] && echo '{line}' && exit" for n, line in enumerate(lines))
    script.write_text(
        f'#!/bin/sh\nn=$(cat "{folder}/n" 2>/dev/null || echo 0)\necho $((n + 1)) > "{folder}/n"\n'
        f"{answers}\necho '{lines[-1]}'\n"
    )
    script.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}


def test_tmux_is_asked_and_its_client_named_late_is_awaited(tmp_path: Path) -> None:
    environ = stub_tmux(
        tmp_path,
        "on||xterm-kitty|256,RGB|9|18|1|3.5a",
        "on|kitty(0.41.1)|xterm-kitty|256,RGB|9|18|1|3.5a",
    )
    found = run(tmp_path, Answer(((0, KITTY),)), environ)
    assert (found["mode"], found["in_tmux"], found["cell"]) == ("kitty", True, [9, 18])
    assert (found["asked"], found["hint"], found["why"]) == (b"", "", "tmux in kitty(0.41.1)")


def test_a_tmux_that_hangs_is_left_alone_after_the_timeout(tmp_path: Path) -> None:
    environ = stub_tmux(tmp_path, "")
    (tmp_path / "bin" / "tmux").write_text("#!/bin/sh\nexec sleep 20\n")
    found = run(tmp_path, Answer(), environ, timeout=0.3)
    assert (found["mode"], found["in_tmux"]) == ("quadrant", True)


def kitty_in_tmux(**changes: object) -> Tmux:
    known: dict[str, object] = {
        "passthrough": True,
        "name": "kitty(0.41.1)",
        "features": frozenset({"RGB"}),
    }
    return Tmux(**{**known, **changes})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("client", "mode", "hint"),
    [
        (kitty_in_tmux(), "kitty", ""),
        (kitty_in_tmux(focus=False), "kitty", "focus-events on"),
        (kitty_in_tmux(passthrough=False), "cells", "set -g allow-passthrough on"),
        (kitty_in_tmux(features=frozenset({"256"})), "cells", "RGB"),
        (kitty_in_tmux(features=frozenset(), term="xterm-kitty"), "kitty", ""),
        (kitty_in_tmux(name="ghostty 1.3.1"), "cells", ""),
        (kitty_in_tmux(name="ghostty 1.3.2"), "kitty", ""),
        (kitty_in_tmux(name="kitty(0.26.5)"), "quadrant", ""),
        (kitty_in_tmux(name="WezTerm 20240203-110809"), "quadrant", ""),
        (kitty_in_tmux(utf8=False), "ascii", "tmux with -u"),
        (None, "quadrant", ""),
    ],
)
def test_what_tmux_knows_decides(
    monkeypatch: pytest.MonkeyPatch, client: Tmux | None, mode: str, hint: str
) -> None:
    monkeypatch.setattr(detecting, "ask_tmux", lambda timeout: client)
    monkeypatch.setattr(detecting, "_is_terminal", lambda descriptor: True)
    found = detect(environ={"TMUX": "x", "LANG": "C.UTF-8"})
    assert found.mode in (("octant", "quadrant") if mode == "cells" else (mode,))
    assert hint in found.hint
    assert bool(hint) == bool(found.hint)
    assert found.in_tmux


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize(
    ("name", "draws"), [("foot(1.21.0)", True), ("foot(1.17.0)", False), ("XTerm(390)", False)]
)
def test_octants_need_a_terminal_that_draws_and_a_library_that_counts_them(
    monkeypatch: pytest.MonkeyPatch, name: str, draws: bool, counts: bool
) -> None:
    monkeypatch.setattr(detecting, "_counts_octants", lambda: counts)
    monkeypatch.setattr(detecting, "ask_terminal", lambda timeout: Terminal(True, name))
    monkeypatch.setattr(detecting, "_is_terminal", lambda descriptor: True)
    found = detect(environ={"TERM": "foot", "LANG": "C.UTF-8"})
    assert found.mode == ("octant" if draws and counts else "quadrant")


def test_tmux_beyond_ssh_is_named_and_says_how_to_get_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detecting, "ask_terminal", lambda timeout: Terminal(True, "tmux 3.5a"))
    monkeypatch.setattr(detecting, "_is_terminal", lambda descriptor: True)
    environ = {"TERM": "tmux-256color", "LANG": "C.UTF-8"}
    found = detect(environ=environ)
    assert (found.mode, found.in_tmux) == ("quadrant", True)
    assert "GENAI_TUI_GRAPHICS=kitty" in found.hint
    forced = detect(environ={**environ, "GENAI_TUI_GRAPHICS": "kitty"})
    assert (forced.mode, forced.in_tmux) == ("kitty", True)


def test_the_argument_goes_before_the_variable_and_both_before_asking() -> None:
    environ = {"GENAI_TUI_GRAPHICS": "octant", "TMUX": "x"}
    assert detect("half", environ).mode == "half"
    assert detect(None, environ).mode == "octant"
    assert detect(None, environ).in_tmux
    assert [detect(mode, {}).mode for mode in MODES] == list(MODES)


@pytest.mark.parametrize(
    "ask", [lambda: detect("iterm", {}), lambda: detect(None, {"GENAI_TUI_GRAPHICS": "no"})]
)
def test_an_unknown_name_is_answered_with_the_valid_ones(ask: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"auto, kitty, sixel, octant, quadrant, half or ascii\.$"):
        ask()


def test_a_locale_without_utf8_gets_characters_that_it_has() -> None:
    found = detect(environ={"LC_ALL": "de_DE.ISO-8859-1", "TERM": "xterm"})
    assert (found.mode, found.cells) == ("ascii", "ascii")
    assert "UTF-8" in found.hint
    assert detect("auto", environ={"LC_ALL": "C", "LANG": "C.UTF-8"}).mode == "ascii"
    assert detect(environ={"LANG": "en_US.utf8"}).mode != "ascii"


@pytest.mark.parametrize(
    ("environ", "unicode"),
    [
        ({"LANG": "en_US.UTF-8", "TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color"}, True),
        ({"LC_ALL": "C", "TERM": "xterm-256color"}, False),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "en_US.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "vt220"}, False),
    ],
)
def test_what_is_drawn_beyond_ascii_depends_on_locale_and_terminal(
    environ: dict[str, str], unicode: bool
) -> None:
    assert detect(None, environ).unicode is unicode
    assert detect("half", environ).unicode is unicode
