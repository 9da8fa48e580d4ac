"""What a picture needed is kept for the next one: otherwise the kernel clears the same pages again and again, a fifth of a picture's time."""

from __future__ import annotations

import ctypes

# glibc's mallopt: https://man7.org/linux/man-pages/man3/mallopt.3.html
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
# Free memory that is not given back.
KEPT_BYTES = 64 << 20
# The most that glibc takes: what is larger comes from the kernel, and goes back at once.
LARGE_BYTES = 32 << 20


def keep_freed_memory() -> None:
    """Before the first thread starts. Does nothing where the C library has no such setting, as musl and macOS."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_ARENA_MAX, 1)  # one for all threads: else each keeps as much
