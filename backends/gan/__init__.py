"""Generative adversarial networks, one a file."""
