"""Puts examples/ on the import path, as the examples' own scripts do."""

from __future__ import annotations

import sys

from tests.examples.models import EXAMPLES

sys.path.insert(0, str(EXAMPLES))
