"""Hypothesis strategies for everything that crosses the border, made from its own annotations."""

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from backends import records

KINDS: list[type] = list(get_args(records.Record))
"""Every kind of record."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**63 - 1)


def struct(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a msgspec Struct."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: _values(hints[name]) for name in kind.__struct_fields__})


def any_record() -> st.SearchStrategy[records.Record]:
    return st.one_of([struct(kind) for kind in KINDS])


json_texts: st.SearchStrategy[bytes] = st.recursive(
    st.none() | st.booleans() | whole | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
).map(msgspec.json.encode)
"""Any JSON document, as bytes."""


@st.composite
def damaged(draw: st.DrawFn, whole_ones: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that are not what they were: cut, or with some of them replaced."""
    data = draw(whole_ones)
    begin = draw(st.integers(0, len(data)))
    end = draw(st.integers(begin, len(data)))
    return data[:begin] + draw(st.binary(max_size=8)) + draw(st.sampled_from([data[end:], b""]))


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint == records.Scalar:
        return st.floats().map(records.scalar)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return struct(hint)
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return st.sampled_from(arguments)
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of([_values(argument) for argument in arguments])
    if get_origin(hint) is list:
        return st.lists(_values(arguments[0]), max_size=4)
    if get_origin(hint) is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=4)
    raise TypeError(f"no strategy for {hint}")


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: whole,
    float: finite,
    str: texts,
    bool: st.booleans(),
    type(None): st.none(),
}
