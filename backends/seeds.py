"""Randomness without state: every generator is keyed by (seed, step, purpose).

Nothing of it is in a checkpoint, and what is drawn for one purpose (samples, say) never moves what
is drawn for another (the training's noise).
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

_62_BITS = 0x3FFFFFFFFFFFFFFF


def seed_of(seed: int, step: int, purpose: str, rank: int = 0) -> int:
    """A 63-bit key that depends on its arguments alone."""
    text = f"{seed}/{rank}/{step}/{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(seed: int, step: int, purpose: str, device: torch.device | str) -> torch.Generator:
    """A fresh generator on ``device`` for one purpose at one step."""
    return torch.Generator(device).manual_seed(seed_of(seed, step, purpose))


def reseed(key: int, device: torch.device) -> None:
    """Seeds what layers without a generator of their own draw from, such as dropout.

    On the CPU that generator alone: torch.manual_seed asks every kind of device that is not there
    either, which takes longer than all else that the loop adds to a small step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(key)
    else:
        torch.manual_seed(key)


def mix(indices: Tensor, key: int) -> Tensor:
    """One 62-bit hash [B] for each of ``indices`` [B] under ``key`` (splitmix64's finaliser).

    In NumPy, whose calls on a few numbers take a fifth of the time of PyTorch's.
    """
    x = indices.numpy().view(np.uint64) + np.uint64(key & _62_BITS)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x = (x ^ (x >> np.uint64(31))) & np.uint64(_62_BITS)
    return torch.from_numpy(x.view(np.int64))
