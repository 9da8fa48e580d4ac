"""What to change when a network cannot run on its example inputs: by what its error says, never by guess alone."""

from __future__ import annotations

import re
from pathlib import Path

from builder.sources.own_code import list_own_frames

_CUDA = re.compile(r"cuda|nvidia|expected all tensors to be on the same device", re.IGNORECASE)
_HALF = re.compile(r"\bc10::(?:BFloat16|Half)|\bHalfTensor|\bBFloat16|\bbfloat16|\bfloat16|'Half'|\bHalf\b")
_MEMORY = re.compile(r"allocate|out of memory", re.IGNORECASE)


def suggest_cure_of_capture(error: Exception, folder: Path) -> str:
    """The end of a sentence: what would let torch.export follow the network."""
    frames = list(list_own_frames(error, folder))
    if frames and str(frames[-1].line).startswith("assert "):
        return "it looks at values, which a file cannot: take this assert out"
    return "make its forward free of data-dependent control flow"


def suggest_cure(error: Exception) -> str:
    """The end of a sentence: what would let the network run."""
    text = str(error)
    if _CUDA.search(text):
        return "it is converted on the CPU: take .cuda() and device = 'cuda' out of the network"
    if _HALF.search(text):
        return "its weights are of half precision and its inputs are not: return network.float() from the factory"
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return "this needs more memory than there is: make 'shape' smaller"
    return "correct 'shape' of the inputs"
