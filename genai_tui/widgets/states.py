"""How a run's state looks everywhere: a glyph, the word, and the theme variable of its colour."""

from genai_tui.store import Seen

GLYPHS: dict[Seen, str] = {
    "queued": "◷",
    "starting": "◌",
    "running": "●",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "interrupted": "!",
    "failed": "✗",
    "broken": "?",
}
COLOURS: dict[Seen, str] = {
    "queued": "text-accent",
    "starting": "text-accent",
    "running": "text-success",
    "paused": "text-warning",
    "finished": "text-primary",
    "stopped": "foreground",
    "interrupted": "text-warning",
    "failed": "text-error",
    "broken": "text-error",
}


def shown(state: Seen) -> str:
    """Glyph and word: a reader without colours loses nothing."""
    return f"{GLYPHS[state]} {state}"
