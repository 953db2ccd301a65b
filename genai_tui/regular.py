"""Opens files of a folder that somebody else may have filled: regular ones only."""

import errno
import io
import os
import stat
from pathlib import Path

UNFOLLOWED = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No link leads out of the folder, and a FIFO without a writer keeps nobody waiting."""


def opened(path: Path | str) -> io.BufferedReader:
    """``path`` for reading, if it is a regular file and no link.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    try:
        fd = os.open(path, os.O_RDONLY | UNFOLLOWED)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", os.fspath(path)) from None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
