"""Autoregressive models, one a file."""
