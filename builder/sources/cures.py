"""What to change when a network cannot run on its example inputs: by what its error says, never by guess alone."""

from __future__ import annotations

import re

_CUDA = re.compile(r"cuda|nvidia|expected all tensors to be on the same device", re.IGNORECASE)
_HALF = re.compile(r"\bc10::(?:BFloat16|Half)|\bHalfTensor|\bBFloat16|\bbfloat16|\bfloat16|'Half'|\bHalf\b")
_MEMORY = re.compile(r"allocate|out of memory", re.IGNORECASE)


def cure_of_forward(error: Exception) -> str:
    """The end of a sentence: what would let the network run."""
    text = str(error)
    if _CUDA.search(text):
        return "it is converted on the CPU: take .cuda() and device = 'cuda' out of the network"
    if _HALF.search(text):
        return "its weights are of half precision and its inputs are not: return network.float() from the factory"
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return "this needs more memory than there is: make 'shape' smaller"
    return "correct 'shape' of the inputs"
