"""What a person with a keyboard, a screen reader or weak eyes meets on a page, asked of the browser itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

# Largest sum of layout shifts that counts as steady: https://web.dev/articles/cls
STEADY = 0.1
# Of text; for large text (24 px, or 18.66 px bold) and for borders of controls 3: WCAG 2.2, 1.4.3 and 1.4.11.
TEXT_CONTRAST, LARGE_CONTRAST = 4.5, 3.0
SMALLEST_TARGET = 24  # CSS pixels: WCAG 2.2, 2.5.8

CONTRASTS = """() => {
  const numbers = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [0.2126, 0.7152, 0.0722].reduce((sum, part, k) => {
    const unit = [r, g, b][k] / 255;
    return sum + part * (unit <= 0.04045 ? unit / 12.92 : ((unit + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
    if (!text || element.closest("script, noscript, [hidden], :disabled") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const [a, b] = [light(numbers(style.color)), light(behind(element))];
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), large]);
  }
  return found;
}"""
FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  const marked = [element, element.parentElement, element.previousElementSibling, element.nextElementSibling].some(
    (one) => one && getComputedStyle(one).outlineStyle !== "none" && parseFloat(getComputedStyle(one).outlineWidth) >= 2);
  return { tag: element.tagName, id: element.id, marked, top: box.top + scrollY, shown: style.visibility === "visible" };
}"""
SMALL = """(least) => [...document.querySelectorAll("button, select, .button, input[type=range], main label")]
  .filter((one) => one.checkVisibility() && !one.closest("[hidden]"))
  .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
  .filter(([, box]) => box.height > 0 && Math.min(box.height, box.width) < least).map(([name]) => name)"""
SHIFTS = """addEventListener("DOMContentLoaded", () => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
});"""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """An element that the Tab key reaches."""

    name: str
    marked: bool
    top: float


def find_faint_texts(page: Page) -> list[str]:
    """Texts that stand out too little from what is behind them."""
    found: list[tuple[str, float, bool]] = page.evaluate(CONTRASTS)
    assert len(found) > 5
    return [
        f"{text}: {ratio:.2f}" for text, ratio, large in found if ratio < (LARGE_CONTRAST if large else TEXT_CONTRAST)
    ]


def unnamed(page: Page) -> list[str]:
    """Controls, pictures and headings that a screen reader has no name for, by the browser's own accessibility tree."""
    tools = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = tools.send("Accessibility.getFullAXTree")["nodes"]
    wanted = {
        "button",
        "slider",
        "checkbox",
        "combobox",
        "image",
        "heading",
        "link",
        "textbox",
        "columnheader",
        "radio",
    }
    roles = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip()) for node in nodes if not node["ignored"]
    ]
    assert any(role == "heading" for role, _ in roles)
    return [role for role, name in roles if role in wanted and not name]


def find_small_targets(page: Page) -> list[str]:
    """Controls that a finger misses."""
    found: list[str] = page.evaluate(SMALL, SMALLEST_TARGET)
    return found


def find_tab_stops(page: Page, most: int = 40) -> list[Stop]:
    """What the Tab key reaches from the top of the page, until it comes to the end."""
    page.evaluate("document.activeElement?.blur()")
    stops: list[Stop] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["tag"] == "BODY":
            break
        stops.append(Stop(name=found["id"] or found["tag"], marked=found["marked"], top=found["top"]))
    return stops


def headings(page: Page) -> list[int]:
    """Their levels in order."""
    found: list[int] = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    return found
