"""The line in which the text that runs must contain is typed."""

from textual.widgets import Input


class RunFilter(Input):
    """Every word must occur in a run's name, model, data, state or id."""

    def __init__(self) -> None:
        super().__init__(placeholder="name, model, data or state", compact=True)
