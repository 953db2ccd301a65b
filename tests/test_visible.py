"""Foreign text cannot command a terminal, and can be part of a file's name."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.visible import slug, visible

COMMANDS = {"Cc", "Cs", "Zl", "Zp"}
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def commands(text: str) -> list[str]:
    return [
        c
        for c in text
        if unicodedata.category(c) in COMMANDS or unicodedata.bidirectional(c) in BIDIRECTIONAL
    ]


def test_no_character_that_commands_gets_through() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if commands(character):
            assert visible(character) == "·", hex(code)


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;owned\x07",
        "\x1b]52;c;cm0gLXJmIC8=\x1b\\",
        "\x9b31m",
        "\x1bP1$r\x1b\\",
        "\u202eexe.gnp",
        "\u2066x\u2069",
        "a\rb\x08c\x7f",
        "\ud800",
        "zero\u200bwidth\ufeff\u00ad",
        "tag\U000e0041",
    ],
)
def test_hostile_text_is_shown(hostile: str) -> None:
    shown = visible(hostile)
    assert not commands(shown)
    assert "·" in shown
    assert len(shown) == len(hostile)


@given(st.text(st.characters()))
def test_text_keeps_its_length_and_is_harmless(text: str) -> None:
    assert len(visible(text)) == len(text)
    assert not commands(visible(text))
    assert visible(visible(text)) == visible(text)


def test_plain_text_is_not_touched() -> None:
    for text in ("loss 0.41", "Größe → 3 × 4", "日本語", "é́", "emoji 🎉", "[/red] [@click=x]"):
        assert visible(text) == text


def test_lines_are_kept_where_they_are_wanted() -> None:
    assert visible("a\n\tb\r\n", lines=True) == "a\n    b·\n"
    assert visible("a\n\tb") == "a··b"


@given(st.text(), st.integers(1, 20))
def test_a_limit_holds(text: str, limit: int) -> None:
    cut = visible(text, limit=limit)
    assert len(cut) <= limit
    assert cut == visible(text) or cut.endswith("…")


@given(st.text(st.characters()), st.integers(1, 60))
def test_a_slug_is_a_plain_name(text: str, limit: int) -> None:
    name = slug(text, limit)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= max(limit, len("run"))


def test_slugs_can_be_read() -> None:
    assert slug("Über/Größe 3.5") == "uber-groe-3-5"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("日本語") == slug("") == slug("---") == "run"
