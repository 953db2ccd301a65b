"""Tests that take minutes: ``pytest -m long``."""
