"""ASCII for terminals without Unicode: everything has a likeness, nothing moves."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from genai_tui.likeness import Ascii, in_ascii


@given(st.text(max_size=60))
def test_any_text_becomes_ascii_of_the_same_width(text: str) -> None:
    shown = in_ascii(text)
    assert shown.isascii()
    assert cell_len(shown) == cell_len(text) or any(ord(letter) < 32 for letter in text)


def test_strokes_of_braille_are_suggested() -> None:
    dots = [in_ascii(chr(0x2800 + bits)) for bits in range(256)]
    assert dots[0] == " "
    assert " " not in dots[1:]
    assert (dots[0x47], dots[0xC0], dots[0x09]) == ("|", "_", "'")


def test_frames_bars_and_letters_look_alike() -> None:
    assert in_ascii("╭─ loss ─╮│●✓✗…–▴◆") == "+- loss -+|*+x~-^*"
    assert in_ascii("━━──▁▂▃▄▅▆▇█") == "----_.:-=+*#"
    assert in_ascii("naïve µ-law 25 °C → x²") == "naive u-law 25 oC > x2"
    assert in_ascii("生成") == "? ? "


def test_the_filter_leaves_controls_and_styles() -> None:
    segments = [Segment("é", None), Segment("\x1b[H", None, [(1,)])]  # pyright: ignore
    assert Ascii().apply(segments, Color(0, 0, 0)) == [Segment("e", None), segments[1]]
