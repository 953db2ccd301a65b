"""Looks this box and the store over: what is well, what is not, and what to do about it."""
