"""What a delegate of TFLite files is to the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from builder.backends.base import Execution, Need
from builder.backends.spec import Delegate
from builder.bundle import Coverage


class FileDelegate(Protocol):
    """A module of `builder.backends.tflite.delegates`. Heavy packages are imported inside its functions."""

    @property
    def DELEGATE(self) -> Delegate:
        """What it is called, and by which traits rewrites know it."""

    def form(self, content: bytes) -> bytes:
        """A file in the form that the delegate takes."""

    def coverage(self, path: Path) -> Coverage:
        """What it takes of a file, as the runtime on this machine decides it. Raises VerificationError for a file that ends the app."""

    def predict_coverage(self, path: Path) -> Coverage | None:
        """What it would probably take of a file that is made for another one, where its operator support is published."""

    def execution(self, on_cpu: Execution) -> Execution:
        """What executes its files here: the delegate itself, or `on_cpu` with the reason."""

    def needs(self) -> tuple[Need, ...]:
        """What it can use on this machine to be executed."""
