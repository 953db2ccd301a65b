"""Changing one value of a TOML file and nothing else: comments, order and spacing stay. Pure."""

import json
import re
import tomllib

Scalar = str | float | bool
_HEADER = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'#\[{][^#]*?)"""


class EditError(ValueError):
    """A file that this cannot change for sure; the message is one sentence without its name."""


def with_value(text: str, key: str, value: Scalar | None, table: str = "") -> str:
    """The text with ``key`` of a table, or of none, set to ``value``; None takes the line out.

    Raises:
        EditError: the text is no TOML, or it is not written as one line a value.
    """
    wanted = _parsed(text)
    _set(wanted, key, value, table)
    lines = text.removesuffix("\n").split("\n") if text else []  # no other character ends a line
    first, last = _section(lines, table)
    found = [n for n in range(first, last) if _line_of(key).match(lines[n])]
    if value is None:
        lines[:] = [line for n, line in enumerate(lines) if n not in found]
    elif found:
        lines[found[0]] = _line_of(key).sub(
            lambda m: f"{m[1]}{_written(value)}{m[3]}", lines[found[0]]
        )
    else:
        _insert(lines, first, last, f"{_key(key)} = {_written(value)}", table)
    changed = "".join(f"{line}\n" for line in lines)
    if not _says(changed, wanted):
        raise EditError(f"the value of {key} is not on a line of its own; change it by hand")
    return changed


def _says(text: str, wanted: dict[str, object]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _parsed(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EditError(str(error)) from None


def _set(document: dict[str, object], key: str, value: Scalar | None, table: str) -> None:
    inside = document.setdefault(table, {}) if table and value is not None else document.get(table)
    values = inside if table else document
    if not isinstance(values, dict):
        if value is None and values is None:
            return
        raise EditError(f"{table} is no table")
    if value is None:
        values.pop(key, None)  # pyright: ignore[reportUnknownMemberType]
    else:
        values[key] = value


def _section(lines: list[str], table: str) -> tuple[int, int]:
    """The first line of a table's values and the one after its last; equal if there is none."""
    headers = [n for n, line in enumerate(lines) if _HEADER.match(line)]
    if not table:
        return 0, headers[0] if headers else len(lines)
    head = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    start = next((n for n in headers if head.fullmatch(lines[n])), None)
    if start is None:
        return len(lines), len(lines)
    return start + 1, next((n for n in headers if n > start), len(lines))


def _insert(lines: list[str], first: int, last: int, line: str, table: str) -> None:
    """Puts a line behind the last value of its section, and the section behind all."""
    if table and first == last == len(lines) and not _is_header(lines, table):
        lines += [""] * bool(lines) + [f"[{table}]", line]
        return
    while last > first and not lines[last - 1].strip():
        last -= 1
    lines.insert(last, line)


def _is_header(lines: list[str], table: str) -> bool:
    return (
        bool(lines) and _section(lines, table)[0] == len(lines) and bool(_HEADER.match(lines[-1]))
    )


def _line_of(key: str) -> re.Pattern[str]:
    names = [re.escape(json.dumps(key)), re.escape(f"'{key}'")]
    names += [re.escape(key)] if _BARE.fullmatch(key) else []
    return re.compile(rf"(\s*(?:{'|'.join(names)})\s*=\s*)({_VALUE})(\s*(?:#.*)?)\Z")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _written(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
