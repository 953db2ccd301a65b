"""Changing one value of a TOML file: what a person wrote around it stays, letter by letter."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.toml_edit import EditError, with_value

WRITTEN = """\
# mine
theme = "nord"   # because it is dark

  smoothing = 0.5

[keys]
# vim-like
"runs.new" = "N"
help = 'h'

[other]
theme = "not this one"
"""


def test_a_value_is_replaced_where_it_stands() -> None:
    changed = with_value(WRITTEN, "theme", "gruvbox")
    assert changed == WRITTEN.replace('"nord"', '"gruvbox"')
    assert with_value(WRITTEN, "smoothing", 0.25) == WRITTEN.replace("0.5", "0.25")
    keys = with_value(with_value(WRITTEN, "runs.new", "a,b", "keys"), "help", "x", "keys")
    assert keys == WRITTEN.replace('"N"', '"a,b"').replace("'h'", '"x"')


def test_a_new_value_comes_behind_the_last_of_its_table() -> None:
    assert with_value(WRITTEN, "meter", True) == WRITTEN.replace("0.5\n", "0.5\nmeter = true\n")
    expected = WRITTEN.replace("'h'\n", '\'h\'\n"runs.open" = "o"\n')
    assert with_value(WRITTEN, "runs.open", "o", "keys") == expected
    assert with_value("", "theme", "nord") == 'theme = "nord"\n'
    assert with_value("a = 1", "help", "h", "keys") == 'a = 1\n\n[keys]\nhelp = "h"\n'
    assert with_value("[keys]\n", "help", "h", "keys") == '[keys]\nhelp = "h"\n'


def test_a_default_takes_the_line_out() -> None:
    assert with_value(WRITTEN, "smoothing", None) == WRITTEN.replace("  smoothing = 0.5\n", "")
    assert with_value(WRITTEN, "help", None, "keys") == WRITTEN.replace("help = 'h'\n", "")
    assert with_value(WRITTEN, "meter", None) == WRITTEN
    assert with_value("theme = 'x'\n", "help", None, "keys") == "theme = 'x'\n"


@pytest.mark.parametrize(
    "text",
    [
        'theme = """\nlong"""\n',
        "keys.help = 'a'\n",
        'a = """\ntheme = "x"\n"""\n',
        "theme = {a = 1}\n",
    ],
)
def test_what_is_written_in_another_way_is_left_to_its_writer(text: str) -> None:
    with pytest.raises(EditError, match="by hand"):
        with_value(with_value(text, "theme", "nord"), "help", "h", "keys")


def test_a_file_that_is_no_toml_is_refused() -> None:
    with pytest.raises(EditError, match="Invalid value"):
        with_value("theme = ", "theme", "nord")
    with pytest.raises(EditError, match="keys is no table"):
        with_value("keys = 3\n", "help", "h", "keys")


names = st.sampled_from(["theme", "runs", "runs.new", "a-b", 'o"dd', "x y"])
values = st.booleans() | st.floats(0, 10) | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(names, values, st.sampled_from(["", "keys", "other"])), max_size=8))
def test_what_was_set_is_read_back(changes: list[tuple[str, Any, str]]) -> None:
    text, expected = WRITTEN, tomllib.loads(WRITTEN)
    for name, value, table in changes:
        try:
            text = with_value(text, name, value, table)
        except EditError:
            assert isinstance(value, str)
            assert not value.isprintable()
            continue
        (expected[table] if table else expected)[name] = value
    assert tomllib.loads(text) == expected
    assert "# because it is dark" in text
