"""Puts examples/ on the import path, as the examples' own scripts do."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch

from tests.examples.models import EXAMPLES

sys.path.insert(0, str(EXAMPLES))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors are faster on one thread, and sums then have one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
