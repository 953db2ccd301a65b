"""Generative models in PyTorch: a library that knows no screen."""
