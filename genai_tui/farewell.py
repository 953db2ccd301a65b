"""The last record of an attempt, where its worker was killed and can write none.

Standard library only, for the keeper's sake; the format is that of ``genai_tui.log``.
"""

import json
import os
import time
import zlib
from pathlib import Path

from genai_tui.admission import create


def say_stopped(path: Path, step: int, exit_code: int, reason: str) -> None:
    """Appends the end of a run that was stopped to its records. Only while there is no worker.

    Raises:
        OSError: the disk is full or the folder is gone.
    """
    told = {"kind": "end", "step": step, "t": time.time(), "state": "stopped"}
    body = json.dumps({**told, "exit_code": exit_code, "reason": reason})[:-1].encode()
    line = b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    fd = create(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line  # the worker died in the middle of one
        os.write(fd, line)
    finally:
        os.close(fd)
