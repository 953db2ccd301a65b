"""Fetches a published file into the user's cache: whole and verified, or not at all."""

import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import platformdirs

from backends.counting import told
from backends.data_error import DataError
from backends.datasets._files import shown

_TIMEOUT = 20.0  # seconds without a byte
_PIECE, _MEGABYTE = 1 << 18, 10**6


def cache_folder(name: str) -> Path:
    """Where the data set ``name`` is kept once it was downloaded."""
    root = os.environ.get("GENAI_TUI_CACHE") or platformdirs.user_cache_dir("genai-tui")
    return Path(root).expanduser() / "datasets" / name


def download(url: str, target: Path, verify: Callable[[Path], None]) -> None:
    """Puts what ``url`` gives at ``target``, if ``verify`` accepts it (it raises DataError).

    Raises:
        DataError: if nothing can be fetched or kept, or what came is not what was wanted.
    """
    part = _part_beside(target)
    try:
        _fetch(url, part)
        verify(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _part_beside(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    except OSError as error:
        where = f"{shown(target.parent)} cannot keep a download ({error.strerror})"
        raise DataError(f"{where}: set GENAI_TUI_CACHE to a folder that can") from None
    os.close(descriptor)
    return Path(name)


def _fetch(url: str, part: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, part.open("wb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(_PIECE):
                file.write(piece)
                told(file.tell() // _MEGABYTE, size // _MEGABYTE)
    except urllib.error.URLError as error:
        raise DataError(f"{url} cannot be fetched ({error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url} cannot be fetched ({error})") from None
