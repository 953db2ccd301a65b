"""Data sets and kinds of folders, one a file."""
