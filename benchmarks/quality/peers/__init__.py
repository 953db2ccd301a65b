"""Other people's generators, run as published from where the user has them; nothing is copied."""
