"""Libraries that are preloaded into real processes, to stand between them and the kernel."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def built(name: str, folder: Path) -> Path:
    """The library of ``name``.c beside this file, compiled; skips where that cannot be done."""
    compiler = shutil.which("cc")
    if not compiler or sys.platform != "linux":
        pytest.skip("what is preloaded needs Linux and a C compiler (cc)")
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library
