"""Foreign text cannot command a terminal, and can be part of a file's name."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color

from genai_tui.last_hop import Visible
from genai_tui.visible import slug, visible

COMMANDS = {"Cc", "Cs", "Zl", "Zp"}
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
UNSEEN = {*COMMANDS, "Cf", "Cn"}
"""Categories of what may be replaced: commands, what is invisible, and tags without a name."""
foreign = st.lists(
    st.text(max_size=6)
    | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn"]), max_size=3)
    | st.sampled_from(
        ["\x1b]52;c;eA==\x07", "\x9b31m", "[@click=app.quit]", "[/]", "[red]", "日本"]
    ),
    max_size=6,
).map("".join)
"""Text of any characters, most of which are such as somebody hostile would choose."""


def commands(text: str) -> list[str]:
    return [
        c
        for c in text
        if unicodedata.category(c) in COMMANDS or unicodedata.bidirectional(c) in BIDIRECTIONAL
    ]


def is_unseen(character: str) -> bool:
    """Whether it is there to format others, and takes no room itself."""
    return unicodedata.category(character) == "Cf" and not get_character_cell_size(character)


def test_no_character_that_commands_gets_through() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if commands(character) or is_unseen(character):
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


@given(foreign)
def test_text_is_harmless_and_what_was_plain_stays_as_it_was(text: str) -> None:
    shown = visible(text)
    assert not commands(shown)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        assert after == before or (after == "·" and unicodedata.category(before) in UNSEEN)
    assert shown == text or not text.isprintable()


@given(foreign, st.booleans(), st.integers(0, 12))
def test_what_has_been_made_visible_stays_so(text: str, lines: bool, limit: int) -> None:
    shown = visible(text, lines=lines, limit=limit)
    assert visible(shown, lines=lines, limit=limit) == shown
    assert commands(shown) == ["\n"] * (lines * shown.count("\n"))


@given(st.lists(foreign))
def test_the_last_hop_lets_no_command_of_any_text_through(texts: list[str]) -> None:
    painted = Visible().apply([Segment(text) for text in texts], Color(0, 0, 0))
    assert [segment.text for segment in painted] == [visible(text) for text in texts]


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
