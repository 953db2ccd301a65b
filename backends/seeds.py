"""Randomness without state: every generator is keyed by (seed, step, purpose).

Nothing of it is in a checkpoint, and what is drawn for one purpose (samples, say) never moves what
is drawn for another (the training's noise).
"""

import hashlib

import torch
from torch import Tensor


def seed_of(seed: int, step: int, purpose: str, rank: int = 0) -> int:
    """A 63-bit key that depends on its arguments alone."""
    text = f"{seed}/{rank}/{step}/{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(seed: int, step: int, purpose: str, device: torch.device | str) -> torch.Generator:
    """A fresh generator on ``device`` for one purpose at one step."""
    return torch.Generator(device).manual_seed(seed_of(seed, step, purpose))


def mix(indices: Tensor, key: int) -> Tensor:
    """One 62-bit hash [B] for each of ``indices`` [B] under ``key`` (splitmix64's finaliser)."""
    x = indices + (key & 0x3FFFFFFFFFFFFFFF)
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        x = (x ^ ((x >> shift) & (2 ** (64 - shift) - 1))) * factor
    return (x ^ ((x >> 31) & 0x1FFFFFFFF)) & 0x3FFFFFFFFFFFFFFF
