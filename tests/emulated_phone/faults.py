"""What can go wrong with an emulated phone; a test sets fields while the phone runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class Faults:
    """All off by default.

    `hang_on`: shell commands that contain this text never answer. `exit_status`: what the shell reports whatever happened.
    `disconnect_after_bytes`: the connection breaks for good after so many bytes of payload from the host; set it to the
    bytes that are still to be taken. `storage_bytes`: what the storage takes. `corrupt_pushes`: one bit of a pushed file flips.
    """

    unauthorized: bool = False
    hang_on: str | None = None
    exit_status: int | None = None
    disconnect_after_bytes: int | None = None
    storage_bytes: int | None = None
    corrupt_pushes: bool = False
