"""The worker that reads a file of somebody else's weights, within limits."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from genai_tui.regular import opened

SPARE = 1 << 29
"""Bytes of memory that reading even a small file may take."""
SECONDS, BYTES_A_SECOND = 60, 20_000_000
"""Of the processor: so many for any file, and one more for each so many bytes."""


def convert(to: BinaryIO, file: Path, out: Path, part: str, parent: int) -> int:
    """Writes the tensors of ``file`` into the new file ``out``; one sentence on stderr if not."""
    import torch

    from backends import foreign
    from backends.confined import confine

    torch.set_num_threads(1)
    try:
        with opened(file) as source:
            size = os.fstat(source.fileno()).st_size
            confine(
                parent=parent,
                memory=SPARE + 5 * size,  # what was read, copies of what is shared, and the result
                seconds=SECONDS + size // BYTES_A_SECOND,
                file_bytes=(1 << 26) + 2 * size,
            )
            told = foreign.convert(source, out, part)
    except foreign.ForeignError as error:
        print(f"{file} {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{file} takes more memory than a file of its size may", file=sys.stderr)
        return 1
    except OSError as error:
        where = out.parent if error.filename in (None, str(out)) else file
        print(f"{where}: {error.strerror or error}", file=sys.stderr)
        return 1
    to.write(msgspec.json.encode(told) + b"\n")
    to.flush()
    return 0
