"""A desk for what the command was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from builder.bundle import open_bundle
from builder.bundle.archive import is_bundle
from builder.errors import InputError
from builder.pipeline.studio.of_bundle import BundleDesk
from builder.pipeline.studio.of_config import ConfigDesk
from builder.pipeline.studio.server import Desk, require_server
from builder.steps.listener import Listener


@contextmanager
def open_desk(source: Path, backends: Sequence[str], listener: Listener) -> Iterator[Desk]:
    """Until the end of the block. Raises MissingToolError, ConfigError, BundleError, SourceError, DataError, ConversionError."""
    require_server()
    with ExitStack() as stack:
        desk: Desk
        if is_bundle(source):
            if backends:
                raise InputError("--backend chooses variants of a builder.toml; a bundle is shown as it is.")
            desk = BundleDesk(stack.enter_context(open_bundle(source)))
        else:
            desk = ConfigDesk(source, backends, listener)
        stack.callback(desk.close)
        yield desk
