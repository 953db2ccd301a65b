"""What is raised where data cannot be used. Nothing heavy is imported with it."""


class DataError(ValueError):
    """Data that cannot be used; the message says in one sentence what, where and what to do."""
