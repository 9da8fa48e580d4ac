"""What a user agent tells: the browser and the system. `docs/formats/vectors/browsers.json` holds it and the page together."""

from __future__ import annotations

import re

# In this order: browsers that are made of another one name that one too.
_NAMES = (
    ("Edge", r"\b(?:Edg|EdgA|EdgiOS)/([\d.]+)"),
    ("Samsung Internet", r"\bSamsungBrowser/([\d.]+)"),
    ("Opera", r"\bOPR/([\d.]+)"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/([\d.]+)"),
    ("Chrome on iOS", r"\bCriOS/([\d.]+)"),
    ("Headless Chrome", r"\bHeadlessChrome/([\d.]+)"),
    ("Chrome", r"\bChrome/([\d.]+)"),
    ("Safari", r"\bVersion/([\d.]+).*\bSafari/"),
)
_SYSTEMS = (
    ("Android", r"\bAndroid ([\d.]+)"),
    ("iOS", r"\b(?:iPhone )?OS ([\d_]+) like Mac OS X"),
    ("ChromeOS", r"\bCrOS \S+ ([\d.]+)"),
    ("macOS", r"\bMac OS X ([\d_.]+)"),
    ("Windows", r"\bWindows NT ([\d.]+)"),
    ("Linux", r"\bLinux()"),
)


def find_browser(agent: str) -> tuple[str, str]:
    """Name and version from a user agent."""
    return _first(_NAMES, agent) or ("unknown", "unknown")


def find_system(agent: str) -> str | None:
    """The operating system as the user agent tells it, often frozen to an old version; None where it tells none."""
    system = _first(_SYSTEMS, agent)
    return None if system is None else " ".join(system).replace("_", ".").strip()


def _first(table: tuple[tuple[str, str], ...], agent: str) -> tuple[str, str] | None:
    matches = ((name, re.search(pattern, agent, re.ASCII)) for name, pattern in table)
    return next(((name, match[1]) for name, match in matches if match is not None), None)
