"""Becomes another user of the machine and runs commands of genai-tui as that user.

``python as_user.py UID STORE FILE WARM [GROUP ...]``, where FILE is a JSON list of commands and
WARM another store. All is run once before, on that one, so that whatever is imported late has been:
the other user need not be able to read this program.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from genai_tui.cli import main


def run(store: str, words: list[str]) -> dict[str, object]:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(["--runs", store, *words])
    return {"words": words, "status": status, "said": said.getvalue()}


user, store, plan = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
commands = json.loads(plan.read_bytes())
for each in commands:
    run(sys.argv[4], [word.replace(store, sys.argv[4]) for word in each])
os.setgroups([int(group) for group in sys.argv[5:]])
os.setgid(user)
os.setuid(user)
print(json.dumps([run(store, each) for each in commands]))
