"""Telling who does not look: notifications of the terminal, and the user's command."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from genai_tui.telling import COMMAND_EVERY, CommandHook, notification, way_of

CONTROLS = {chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]}


@pytest.mark.parametrize(
    ("setting", "environ", "way"),
    [
        ("auto", {"TERM": "xterm-kitty"}, "osc9"),
        ("auto", {"TERM": "foot"}, "osc777"),
        ("auto", {"TERM": "xterm-256color", "VTE_VERSION": "7200"}, "osc777"),
        ("osc9", {"TERM": "foot"}, "osc9"),
        ("bell", {}, "bell"),
        ("off", {}, "off"),
    ],
)
def test_auto_is_what_the_terminal_takes_and_the_user_goes_before_it(
    setting: str, environ: dict[str, str], way: str
) -> None:
    assert way_of(setting, environ) == way


def test_the_two_ways_to_notify() -> None:
    assert notification("osc9", "run", "NaN", in_tmux=False) == "\x1b]9;genai-tui: run: NaN\x07"
    assert (
        notification("osc777", "a;b", "c;d", in_tmux=False)
        == "\x1b]777;notify;genai-tui: a,b;c,d\x07"
    )
    assert notification("bell", "run", "NaN", in_tmux=False) == ""


@given(st.text(max_size=400), st.text(max_size=400), st.booleans())
def test_no_text_of_a_run_gets_out_of_the_notification(title: str, text: str, tmux: bool) -> None:
    for way, start in (("osc9", "\x1b]9;"), ("osc777", "\x1b]777;notify;")):
        command = notification(way, title, text, in_tmux=tmux)
        if tmux:
            assert command.startswith("\x1bPtmux;")
            assert command.endswith("\x1b\\")
            command = command.removeprefix("\x1bPtmux;").removesuffix("\x1b\\")
            command = command.replace("\x1b\x1b", "\x1b")
        assert command.startswith(start)
        assert command.endswith("\x07")
        assert not set(command[len(start) : -1]) & CONTROLS
        assert len(command) < 500


def script(path: Path, code: str) -> str:
    path.write_text(code)
    return f"{sys.executable} '{path}'"


def test_the_command_gets_the_alert_as_json_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import sys; open({str(out)!r}, 'a').write(sys.argv[1] + sys.stdin.read())"
    complaints: list[str] = []
    command = script(tmp_path / "a hook.py", code) + " '$HOME; ls'"
    hook = CommandHook(command, complaints.append)
    assert hook.tell({"kind": "nan"})
    until(lambda: out.exists() and out.read_text().endswith("}"))
    assert out.read_text().startswith("$HOME; ls")
    assert json.loads(out.read_text().removeprefix("$HOME; ls")) == {"kind": "nan", "left_out": 0}
    assert not complaints


def test_a_storm_of_alerts_is_one_command_that_says_how_many_it_left_out(tmp_path: Path) -> None:
    out, now = tmp_path / "out", [0.0]
    code = f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read() + '\\n')"
    hook = CommandHook(script(tmp_path / "hook.py", code), print, lambda: now[0])
    assert [hook.tell({"n": n}) for n in range(5)] == [True, False, False, False, False]
    until(lambda: out.exists() and out.read_text().endswith("\n") and not hook._busy.locked())
    now[0] += COMMAND_EVERY
    assert hook.tell({"n": 5})
    until(lambda: len(out.read_text().splitlines()) == 2)
    assert json.loads(out.read_text().splitlines()[1]) == {"n": 5, "left_out": 4}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("/no/such/program", "No such file"),
        ("'", "quotation"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "status 3"),
    ],
)
def test_a_command_that_does_not_work_is_complained_about_once(command: str, problem: str) -> None:
    complaints: list[str] = []
    now = [0.0]
    hook = CommandHook(command, complaints.append, lambda: now[0])
    for _ in range(2):
        hook.tell({})
        until(lambda: complaints and not hook._busy.locked())
        now[0] += COMMAND_EVERY
    assert len(complaints) == 1
    assert problem in complaints[0]
