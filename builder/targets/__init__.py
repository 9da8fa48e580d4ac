"""Targets: from a bundle to packages for one kind of device. A new one is a package here and a line below.

Importing this package loads nothing heavy: a target's `__init__.py` says what it is, and imports what it does inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.targets import android, ios, server, web

if TYPE_CHECKING:
    from builder.targets.base import Target

TARGETS: dict[str, Target] = {
    "android": android,
    "ios": ios,
    "web": web,
    "server": server,
}
