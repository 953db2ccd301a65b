"""Runs many commands of genai-tui one after the other, on the terminal that it was given.

``python many_verbs.py FILE``, where FILE is a JSON list of commands, each a list of words.
"""

import json
import sys
from pathlib import Path

from genai_tui.cli import main

for words in json.loads(Path(sys.argv[1]).read_bytes()):
    print(f"\n=== {ascii(words)[:60]}", flush=True)
    try:
        status = main(words)
    except SystemExit as error:
        status = error.code
    print(f"\n=== status {status}", flush=True)
