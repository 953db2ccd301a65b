"""What goes wrong for a user: one sentence that says so, and the exit status that it means."""

FAILED, MISUSE = 1, 2


class UserError(RuntimeError):
    """The message is one sentence with the remedy; ``status`` tells a failure from a wrong use."""

    def __init__(self, sentence: str, *, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status
