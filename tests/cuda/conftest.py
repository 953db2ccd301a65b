"""Tests that need a GPU: ``pytest -m cuda tests/cuda``."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU under test: the first one, or the one that GENAI_TUI_TEST_DEVICE names."""
    wanted = torch.device(os.environ.get("GENAI_TUI_TEST_DEVICE", "cuda:0"))
    if wanted.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch sees no GPU here")
    return wanted
