"""Another user of the machine, a real one, in a group or in none."""

import grp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from build_runs import build

from genai_tui.store import Store

MINE = "20261122-101530-mine"
STRANGER = 65534
"""The number of "nobody"."""
_OWN = {0, *os.getgroups(), STRANGER}
GROUP = next((one.gr_gid for one in grp.getgrall() if one.gr_gid not in _OWN), STRANGER + 1)
IN_IT = (GROUP,)
"""The groups of a stranger who is in it."""
AS_USER = Path(__file__).with_name("as_user.py")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")


@contextmanager
def passable() -> Iterator[Path]:
    """A folder that everybody may pass through; pytest's own are their user's alone."""
    path = Path(tempfile.mkdtemp(prefix="genai-tui-home-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def home() -> Iterator[Path]:
    with passable() as path:
        yield path


def shell(*command: str, groups: Sequence[int] = ()) -> int:
    """The exit status of a program that the stranger runs, who is in some groups."""
    return subprocess.run(
        command,
        user=STRANGER,
        group=STRANGER,
        extra_groups=groups,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    ).returncode


def stranger(
    store: Path, *commands: list[str], groups: Sequence[int] = (), id: str = MINE
) -> list[dict[str, Any]]:
    """What genai-tui says to the stranger.

    All is tried before on a run ``id`` of a store that is thrown away.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan, warm = Path(folder, "plan.json"), Path(folder, "warm")
        plan.write_text(json.dumps(commands))
        build(Store(warm), "mine", id=id, step=40, of=40, samples_every=20)
        done = subprocess.run(
            [
                *(sys.executable, str(AS_USER), str(STRANGER), str(store), str(plan), str(warm)),
                *(str(group) for group in groups),
            ],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout)


def as_stranger(fact: Callable[[], bool], groups: Sequence[int] = ()) -> bool:
    """Whether something is so for the stranger."""
    child = os.fork()
    if child == 0:
        os.setgroups(groups)
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        os._exit(0 if fact() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
