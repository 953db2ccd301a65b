"""The one function through which foreign text goes on its way to a terminal."""

import re
import unicodedata

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_KEPT = {"\n": "\n", "\t": "    "}


def visible(text: str, *, lines: bool = False, limit: int = 0) -> str:
    """``text`` with every control, bidirectional and invisible character shown as "·".

    Args:
        text: anything a user, a file or a network wrote.
        lines: keep line feeds and expand tabs; otherwise they are shown as "·" too.
        limit: longest result in characters, the cut shown by "…"; 0 is no limit.
    """
    kept = _KEPT if lines else {}
    text = _CONTROLS.sub(lambda match: kept.get(match.group(), "·"), text)
    return text if not limit or len(text) <= limit else text[: limit - 1] + "…"


def slug(text: str, limit: int = 40) -> str:
    """``text`` as part of a file's name: lower case, [a-z0-9-], never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:limit].strip("-") or "run"
