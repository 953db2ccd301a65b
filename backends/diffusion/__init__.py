"""Diffusion and flow models, one a file."""
