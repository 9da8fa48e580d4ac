"""The house's own rules for names: a function is a verb, data is a noun."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Past participles that do not end in -ed. `read`, `run`, `put`, `set`, `split`, `cut`, `fit` and `cast` are verbs too.
IRREGULAR = {
    "begun", "born", "bought", "bound", "broken", "brought", "built", "caught", "chosen", "done", "drawn", "driven",
    "fallen", "fed", "felt", "forgotten", "found", "frozen", "given", "gone", "got", "grown", "heard", "held", "hidden",
    "hung", "kept", "known", "laid", "led", "left", "lent", "lost", "made", "meant", "met", "paid", "risen", "said", "seen",
    "sent", "shown", "sold", "spent", "spoken", "stood", "stuck", "taken", "thought", "thrown", "told", "torn", "understood",
    "went", "woken", "won", "worn", "written",
}  # fmt: skip
# Words in -ed that name an action as they stand.
VERBS = {"embed", "feed", "need", "seed", "speed"}
# Operators under the names that Core ML and ONNX give them.
OPERATORS = {"clamped_relu", "scaled_tanh", "thresholded_relu"}
# Up to so many lines `found` stands beside what it was found by; below them its reader has lost that line.
SHORT = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for root in ("builder", "harness"):
        for path in sorted((ROOT / root).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, Function):
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (word.endswith("ed") and word not in VERBS)


def is_data(function: Function) -> bool:
    """A property is read as data."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_no_function_is_named_by_a_past_participle() -> None:
    """`judged(run)` may be a question, a list or an action; `judge(run)` is one thing."""
    wrong = [
        place
        for place, function in functions()
        if is_participle(function.name.strip("_").split("_")[0])
        and function.name.strip("_") not in OPERATORS
        and not is_data(function)
    ]
    assert wrong == []


def test_what_a_long_function_found_is_named_for_what_it_is() -> None:
    """Ten lines further down, `found` says nothing of what it holds."""
    wrong = [
        place
        for place, function in functions()
        if (function.end_lineno or 0) - function.lineno >= SHORT
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if any(isinstance(name, ast.Name) and name.id == "found" for name in ast.walk(target))
    ]
    assert wrong == []


def test_the_rule_sees_a_participle() -> None:
    """The words that it is made for, and those that only look like them."""
    assert all(map(is_participle, ("judged", "told", "found", "legalized")))
    assert not any(map(is_participle, ("judge", "find", "feed", "read", "embed")))


def test_all_pages_that_are_written_are_one_document() -> None:
    """Head, policy and colours of a page are written once. A page that stands in a file of its own is an app, with its own script."""
    places = [
        path.relative_to(ROOT).as_posix()
        for root in ("builder", "harness")
        for path in sorted((ROOT / root).rglob("*"))
        if path.suffix in (".py", ".j2") and "<!doctype html>" in path.read_text(encoding="utf-8").lower()
    ]
    assert places == ["builder/bundle/page.py"]
