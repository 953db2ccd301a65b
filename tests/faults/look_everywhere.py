"""Looks at every run of a store with every verb that looks, and tells which files it opened.

``python look_everywhere.py STORE OUTSIDE`` prints JSON: ``opened``, the files below OUTSIDE that
were opened or listed; ``runs``, what ``genai-tui runs --json`` says; ``failed``, verbs that fell
over.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from genai_tui.cli import main

store, outside = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
opened: list[str] = []
WATCHED = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.chmod")


def note(event: str, arguments: Any) -> None:
    if event in WATCHED and arguments and isinstance(arguments[0], str | bytes | os.PathLike):
        flags = arguments[2] if event == "open" and len(arguments) > 2 else 0
        refused = isinstance(flags, int) and flags & os.O_NOFOLLOW
        name = os.fsdecode(arguments[0])
        path = Path(os.path.realpath(os.path.dirname(name)), os.path.basename(name))
        path = path if refused else Path(os.path.realpath(path))
        if path == outside or outside in path.parents:
            opened.append(f"{event} {name}")


def run(*words: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        main(["--runs", str(store), *words])
    return said.getvalue()


sys.addaudithook(note)
failed: list[str] = []
for path in sorted(store.iterdir()):
    name = path.name
    for words in (
        ("show", name),
        ("logs", name),
        ("compare", name, "good"),
        ("export", name, "--out", str(store.parent / "out"), "--overwrite"),
        ("tag", name, "+seen"),
        ("note", name),
    ):
        try:
            run(*words)
        except Exception as error:  # noqa: BLE001 - whatever falls over is told
            failed.append(f"{' '.join(words)}: {type(error).__name__}: {error}")
runs = json.loads(run("runs", "--json"))
print(json.dumps({"opened": opened, "runs": runs, "failed": failed}))
