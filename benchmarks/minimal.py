"""The floor of every start: the smallest Textual app that shows a screenful of text."""

from textual.app import App, ComposeResult
from textual.widgets import Footer, Static


class Minimal(App[None]):
    """One text and a footer."""

    def compose(self) -> ComposeResult:
        yield Static("ready to be read")
        yield Footer()


if __name__ == "__main__":
    Minimal().run()
