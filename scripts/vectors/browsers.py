"""User agents of real browsers (as their vendors document them) with the names that a record gives them."""

from __future__ import annotations

from harness.devices.browser.names import find_browser, find_system
from scripts.vectors.files import Case

ABOUT = "User agents (`agent`) with the browser's `name` and `version` and the `system` that run records of pages name (null where it is not told)."
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = (
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/156.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/130.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36 Edg/130.0.2849.68",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/128.0.0.0 Safari/537.36 OPR/114.0.0.0",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "something else",
)


def make_cases() -> list[Case]:
    return [
        {
            "agent": agent,
            "name": find_browser(agent)[0],
            "version": find_browser(agent)[1],
            "system": find_system(agent),
        }
        for agent in AGENTS
    ]
