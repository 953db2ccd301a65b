"""What crosses the border comes back as it went, and is JSON that any tool reads."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINDS, any_record, struct

from backends import records
from backends.records import Command, Notice, RunSpec, Start, Status, Step, number, scalar

DOCUMENTS = [(RunSpec, records.decode_spec), (Status, records.decode_status)]
DOCUMENTS += [(Command, records.decode_command)]


def strict(data: bytes) -> Any:
    """JSON as jq takes it: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(data, parse_constant=refuse)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_record_round_trips(kind: type) -> None:
    @given(struct(kind))
    def round_trip(record: records.Record) -> None:
        assert records.decode_record(records.encode(record)) == record

    round_trip()


@given(any_record())
def test_a_record_is_strict_json_with_its_kind(record: records.Record) -> None:
    document = strict(records.encode(record))
    assert document["kind"] == type(record).__name__.lower()
    assert document["step"] == record.step


@pytest.mark.parametrize(("kind", "decode"), DOCUMENTS, ids=lambda value: str(value)[:30])
def test_documents_round_trip(kind: type, decode: Any) -> None:
    @given(struct(kind))
    def round_trip(document: Any) -> None:
        data = records.encode(document)
        strict(data)
        assert decode(data) == document

    round_trip()


@given(st.floats())
def test_numbers_that_json_lacks_are_written_as_their_names(value: float) -> None:
    written = scalar(value)
    assert isinstance(written, str) != math.isfinite(value)
    data = records.encode(Step(step=1, t=0.0, values={"loss": written}))
    back = number(records.decode_record(data).values["loss"])
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_the_names_of_numbers() -> None:
    assert [scalar(v) for v in (math.nan, math.inf, -math.inf, -0.0)] == [
        "NaN",
        "Infinity",
        "-Infinity",
        0.0,
    ]
    assert math.isnan(number(None))


def test_fields_of_a_later_version_are_passed_over() -> None:
    data = records.encode(Notice(step=3, t=1.0, text="hello"))
    later = data[:-1] + b',"colour":{"red":[1,2]}}'
    assert records.decode_record(later) == Notice(step=3, t=1.0, text="hello")


@pytest.mark.parametrize(
    "wrong",
    [
        b'{"kind":"step","t":1.0}',
        b'{"kind":"step","step":"5","t":1.0}',
        b'{"kind":"step","step":1.5,"t":1.0}',
        b'{"kind":"step","step":1,"t":1.0,"values":{"loss":null}}',
        b'{"kind":"step","step":1,"t":1.0,"values":{"loss":"high"}}',
        b'{"kind":"nonsense","step":1,"t":1.0}',
        b'{"step":1,"t":1.0}',
        b"[]",
        b"",
    ],
)
def test_what_is_no_record_is_refused(wrong: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        records.decode_record(wrong)


def test_records_do_not_change_after_they_are_made() -> None:
    start = Start(step=0, t=0.0, attempt=1, of=5)
    with pytest.raises(AttributeError):
        start.step = 3  # pyright: ignore[reportAttributeAccessIssue]
